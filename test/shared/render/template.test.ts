import t from 'tap'
import { templateNames, templateProblems, templateUses, type TemplateObject } from '../../../shared/render/template.ts'
import { objectRequest } from '../../support/object-spec.ts'

const object = (type: TemplateObject['type'], name: string, fields: Partial<TemplateObject> = {}): TemplateObject =>
  objectRequest(name, { type, ...fields })

const objects = [
  object('secret', 'db-password'),
  object('secret', 'web-tls', { path: 'tls/web.pem', split: true }),
  object('cert', 'web-tls', { path: 'tls/leaf.pem' }),
  object('key', 'signing', { history: 2 }),
  object('secret', 'secrets'),
  object('secret', '2fa'),
]

const right: [name: string, text: string][] = [
  ['no tags at all', 'host = db\n'],
  [
    'an object by its type and name',
    'postgres://app:{{ secrets["db-password"] }}@db {{ keys.signing }} {{ certs["web-tls"] }}',
  ],
  ['the bare name of an object', '{{ db-password }}'],
  ['a name that only brackets can say', '{{ secrets["2fa"] }}'],
  ['a secret that is called as a namespace', '{{ secrets["secrets"] }}'],
  ['any file', '{{ files["tls/web.pem.crt"] }}{{ files["signing/1"] }}'],
  [
    'all our filters',
    '{{ db-password | json }}{{ db-password | b64enc | b64dec }}{{ secrets["web-tls"] | pem_cert }}{{ secrets["web-tls"] | pem_key }}{{ secrets["web-tls"] | pem_ca }}{{ db-password | percent_encode }}{% assign db = db-password | parse_json %}{{ db.user }}{{ db-password | shell_quote }}{{ db-password | properties_escape }}',
  ],
  ['filters of LiquidJS', '{{ db-password | upcase | replace: "a", "b" }}'],
  [
    'variables of its own',
    '{% assign p = db-password %}{% capture q %}{{ p }}{% endcapture %}{{ q }}{% for s in secrets %}{{ s[0] }}{{ forloop.index }}{% endfor %}',
  ],
  ['a name that is computed', '{% assign n = "db-password" %}{{ secrets[n] }}'],
  ['conditions', '{% if secrets["2fa"] %}{{ secrets["2fa"] }}{% else %}none{% endif %}'],
  ['braces in raw', '{% raw %}{{ whatever }}{% endraw %}'],
]
for (const [name, text] of right) {
  void t.test(`templates: valid, ${name}`, async (t) => t.strictSame(templateProblems(templateUses(text), objects), []))
}

const wrong: [name: string, text: string, ...problems: string[]][] = [
  [
    'a typo in a name',
    'a\n{{ secrets["db-pasword"] }}',
    'line 2: there is no secrets["db-pasword"] (did you mean "db-password"?)',
  ],
  ['a typo in a bare name', '{{ db_password }}', 'line 1: there is no "db_password" (did you mean "db-password"?)'],
  ['a typo in a namespace', '{{ secret["db-password"] }}', 'line 1: there is no "secret" (did you mean "secrets"?)'],
  ['a name that is not near any', '{{ keys.encryption }}', 'line 1: there is no keys["encryption"] (there is signing)'],
  [
    'a type of which there are none',
    '{{ x }}',
    'line 1: there is no "x" (there is db-password, web-tls, signing, 2fa, secrets, keys, certs, files)',
  ],
  [
    'an unknown file',
    '{{ files["web.pem"] }}',
    'line 1: there is no files["web.pem"] (there is db-password, tls/web.pem, tls/web.pem.crt, tls/web.pem.key, tls/web.pem.ca.crt, tls/leaf.pem, signing/0, signing/1, secrets, 2fa)',
  ],
  [
    'a bare name of two objects',
    '{{ web-tls }}',
    'line 1: "web-tls" may mean several objects; use files["tls/web.pem"] or files["tls/leaf.pem"]',
  ],
  [
    'an unknown name inside a condition',
    '{% if secrets.nope %}{% endif %}',
    'line 1: there is no secrets["nope"] (there is db-password, web-tls, secrets, 2fa)',
  ],
  [
    'an unknown name as an argument of a filter',
    '{{ db-password | append: nope }}',
    'line 1: there is no "nope" (there is db-password, web-tls, signing, 2fa, secrets, keys, certs, files)',
  ],
  [
    'several problems, each once',
    '{{ keys.a }}{{ keys.a }}\n{{ keys.b }}',
    'line 1: there is no keys["a"] (there is signing)',
    'line 2: there is no keys["b"] (there is signing)',
  ],
  ['an unknown filter', '\n{{ db-password | base64 }}', 'line 2: undefined filter: base64'],
  ['an unknown tag', '{% iff %}', 'line 1: tag "iff" not found'],
  ['output that is not closed', 'a\n\n{{ db-password', 'line 3: output "{{ db-password" not closed'],
  ['a block that is not closed', '{% if secrets %}', 'line 1: tag {% if secrets %} not closed'],
  ['a file of the sidecar', '{% include "/etc/passwd" %}', 'line 1: tag "include" not found'],
  ['another file of the sidecar', '{% render "/etc/passwd" %}', 'line 1: tag "render" not found'],
  ['a layout', '{% layout "x" %}', 'line 1: tag "layout" not found'],
  ['the time, which would differ with every poll', '{{ "now" | date: "%s" }}', 'line 1: undefined filter: date'],
  ['chance', '{{ "a,b" | split: "," | sample }}', 'line 1: undefined filter: sample'],
  ['a text that is too long', 'x'.repeat(96 * 1024 + 1), 'parse length limit exceeded'],
]
for (const [name, text, ...problems] of wrong) {
  void t.test(`templates: invalid, ${name}`, async (t) =>
    t.strictSame(templateProblems(templateUses(text), objects), problems),
  )
}

void t.test('templates: a long list of names is cut', async (t) => {
  const many = Array.from({ length: 30 }, (_, index) => object('key', `key-${index}`))
  t.strictSame(templateProblems(templateUses('{{ keys.zzz }}'), many), [
    'line 1: there is no keys["zzz"] (there is key-0, key-1, key-2, key-3, key-4, key-5, key-6, key-7, key-8, key-9, ...)',
  ])
  t.strictSame(templateProblems(templateUses('{{ certs.zzz }}'), many), [
    'line 1: there is no certs["zzz"] (there is none)',
  ])
})

void t.test('templates: names map to the paths of files', async (t) => {
  const { secrets, keys, bare, files } = templateNames(objects)
  t.strictSame(secrets.get('web-tls'), ['tls/web.pem'])
  t.strictSame(keys.get('signing'), ['signing/0'], 'the newest version')
  t.strictSame(bare.get('web-tls'), ['tls/web.pem', 'tls/leaf.pem'])
  t.notOk(bare.has('secrets'), 'a namespace goes before an object of its name')
  t.strictSame([...files.keys()].includes('signing/1'), true)
})
