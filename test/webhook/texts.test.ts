import t from 'tap'
import { decide } from '../../webhook/decide.ts'
import { annotated } from './review-app.ts'
import { surroundings } from './setting.ts'

/** Of each: annotations, and what begins the one problem. */
const refused: Record<string, [Record<string, string>, string]> = {
  'a template that does not parse': [{ 'template-a': 'x\n{% if %}' }, 'template "a", line 2: '],
  'a template that names what is not there': [{ 'template-a': '{{ secrets["db-pasword"] }}' }, 'template "a", line 1: there is no secrets["db-pasword"] (did you mean "db-password"?)'], // prettier-ignore
  'one inside objects': [{ objects: '{objects: [db-password], templates: {conf/a: "{{ nobody }}"}}' }, 'template "conf/a", line 1: there is no "nobody"'], // prettier-ignore
  'a template that reads files': [{ 'template-a': '{% include "/etc/passwd" %}' }, 'template "a", line 1: '],
  'an unknown filter': [{ 'template-a': '{{ secrets["db-password"] | shell }}' }, 'template "a", '],
  'two secrets of one name in a bundle': [{ objects: 'db-password, db-password=other', 'bundle-a.json': 'json' }, 'bundle "a.json": the secrets at "db-password" and "other" would both be db-password; use a template, which can tell them apart'], // prettier-ignore
  'two secrets of one variable': [{ objects: 'db-password, DB-PASSWORD=other', 'bundle-.env': 'dotenv' }, 'bundle ".env": the secrets at "db-password" and "other" would both be DB_PASSWORD; use a template, which can tell them apart'], // prettier-ignore
}

for (const [name, [annotations, text]] of Object.entries(refused)) {
  void t.test(`refused: ${name}`, async (t) => {
    const decision = decide(annotated(annotations), surroundings())
    const problems = decision.kind === 'deny' ? decision.problems : []
    t.match(problems, [{ reason: 'bad-annotation' }])
    t.equal(problems.length, 1)
    t.equal(problems[0]?.text.slice(0, text.length), text)
  })
}

void t.test('what can be made is not refused', async (t) => {
  const annotations = {
    objects: 'db-password, key/db-password=key',
    'template-a': '{{ secrets["db-password"] | b64enc }} {{ files["key"] }}',
    'bundle-.env': 'dotenv',
  }
  t.equal(decide(annotated(annotations), surroundings()).kind, 'inject')
})
