import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'

/** Of each: annotations, and what begins the one problem. */
const refused: Record<string, [Record<string, string>, string]> = {
  'a template that does not parse': [{ 'template-a': 'x\n{% if %}' }, 'template "a", line 2: '],
  'a template that names what is not there': [
    { 'template-a': '{{ secrets["db-pasword"] }}' },
    'template "a", line 1: there is no secrets["db-pasword"] (did you mean "db-password"?)',
  ],
  'one inside objects': [
    { objects: '{objects: [db-password], templates: {conf/a: "{{ nobody }}"}}' },
    'template "conf/a", line 1: there is no "nobody"',
  ],
  'a template that reads files': [{ 'template-a': '{% include "/etc/passwd" %}' }, 'template "a", line 1: '],
  'an unknown filter': [{ 'template-a': '{{ secrets["db-password"] | shell }}' }, 'template "a", '],
  'two secrets of one name in a bundle': [
    { objects: 'db-password, db-password=other', 'bundle-a.json': 'json' },
    'bundle "a.json": the secrets at "db-password" and "other" would both be db-password; give one of them another name with names, or leave it out with except',
  ],
  'two secrets of one variable': [
    { objects: 'db-password, DB-PASSWORD=other', 'bundle-.env': 'dotenv' },
    'bundle ".env": the secrets at "db-password" and "other" would both be DB_PASSWORD; give one of them another name with names, or leave it out with except',
  ],
}

for (const [name, [annotations, text]] of Object.entries(refused)) {
  void t.test(`texts: rejected, ${name}`, async (t) => {
    const decision = decide(annotated(annotations), planInputs())
    const problems = decision.kind === 'deny' ? decision.problems : []
    t.match(problems, [{ reason: 'bad-annotation' }])
    t.equal(problems.length, 1)
    t.equal(problems[0]?.text.slice(0, text.length), text)
  })
}

void t.test('texts: a pod with valid objects, templates and bundles is injected', async (t) => {
  const annotations = {
    objects: 'db-password, key/db-password=key',
    'template-a': '{{ secrets["db-password"] | b64enc }} {{ files["key"] }}',
    'bundle-.env': 'dotenv',
  }
  t.equal(decide(annotated(annotations), planInputs()).kind, 'inject')
})
