import t from 'tap'
import { membersOf } from '../../../shared/render/bundle.ts'
import type { BundleSelection, BundleSpec } from '../../../shared/objects/schema.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { objectSpec } from '../../support/object-spec.ts'
import { render } from './bundle-values.ts'

const selected = [
  objectSpec('db-password'),
  objectSpec('web-tls', { path: 'tls/web.pfx', format: 'pfx', encoding: 'base64' }),
  objectSpec('db', { path: 'db/user', property: 'user' }),
  objectSpec('db', { path: 'db/password', property: 'password' }),
  objectSpec('db-password', { type: 'cert', path: 'cert.pem' }),
]

const contents = {
  'db-password': 'p',
  'tls/web.pfx': Uint8Array.of(0x30, 0x82),
  'db/user': 'app',
  'db/password': 'q',
  'cert.pem': '-',
}
const dotenv = (fields: Omit<BundleSelection, 'format'>): BundleSpec => ({ format: 'dotenv', ...fields })

const selections: [name: string, bundle: BundleSpec, text: string][] = [
  ['only one', dotenv({ only: ['db-password'] }), "DB_PASSWORD='p'\n"],
  ['all but a binary one', dotenv({ except: ['web-tls', 'db/user'] }), "DB_PASSWORD='p'\nDB='q'\n"],
  ['only and except', dotenv({ only: ['db', 'db-password'], except: ['db/user'] }), "DB_PASSWORD='p'\nDB='q'\n"],
  [
    'fields of one secret, by their paths',
    dotenv({ except: ['web-tls'], names: { 'db/user': 'PGUSER', 'db/password': 'PGPASSWORD' } }),
    "DB_PASSWORD='p'\nPGUSER='app'\nPGPASSWORD='q'\n",
  ],
  [
    'names of properties',
    { format: 'properties', only: ['db/user'], names: { 'db/user': 'spring.datasource.users[0]' } },
    'spring.datasource.users[0]=app\n',
  ],
  [
    'names of JSON',
    { format: 'json', only: ['db/user'], names: { 'db/user': '__proto__' } },
    '{\n  "__proto__": "app"\n}\n',
  ],
  ['names of YAML', { format: 'yaml', only: ['db/user'], names: { 'db/user': '__proto__' } }, '"__proto__": "app"\n'],
]

for (const [name, bundle, text] of selections) {
  void t.test(`bundle selection: ${name}`, async (t) => t.equal(await render(bundle, contents, selected), text))
}

const wrongSelections: [name: string, bundle: BundleSpec, message: string][] = [
  [
    'an unknown name',
    dotenv({ only: ['db-pasword'] }),
    'only: there is no secret "db-pasword" (did you mean "db-password"?)',
  ],
  [
    'a certificate',
    dotenv({ except: ['cert.pem'] }),
    'except: cert db-password is not a secret, and a bundle holds secrets only',
  ],
  ['one in both', dotenv({ only: ['db', 'db-password'], except: ['db'] }), '"db" is in only and in except'],
  [
    'a name for what is left out',
    dotenv({ except: ['web-tls', 'db'], names: { 'db/user': 'X' } }),
    'names: "db/user" is not in the bundle, because of only or except',
  ],
  [
    'two of one name',
    dotenv({ only: ['db'] }),
    'the secrets at "db/user" and "db/password" would both be DB; give one of them another name with names, or leave it out with except',
  ],
  [
    'a name that another has',
    dotenv({ only: ['db-password', 'db/user'], names: { 'db/user': 'DB_PASSWORD' } }),
    'the secrets at "db-password" and "db/user" would both be DB_PASSWORD; give one of them another name with names, or leave it out with except',
  ],
  ['nothing', dotenv({ except: ['db-password', 'web-tls', 'db'] }), 'the selection leaves no secret'],
]

for (const [name, bundle, message] of wrongSelections) {
  void t.test(`bundle selection: ${name} is rejected`, async (t) =>
    t.rejects(render(bundle, contents, selected), new RenderFailure(message)),
  )
}

void t.test('bundle selection: the failure of a binary secret names it and how to leave it out', async (t) => {
  const objects = selected.slice(0, 2)
  const begin =
    'secret web-tls is not UTF-8 text; keep it as base64 in the vault without encoding, use a template with b64enc instead of the bundle, or leave it out of the bundle: '
  const all = '{ format: dotenv, except: ["web-tls"] } under bundles in the annotation objects'
  await t.rejects(render('dotenv', contents, objects), new RenderFailure(begin + all))
  const only = dotenv({ only: ['web-tls'] })
  await t.rejects(render(only, contents, objects), new RenderFailure(`${begin}remove "web-tls" from only`))
})

void t.test('bundle selection: a name that is also a path selects by path', async (t) => {
  const objects = [objectSpec('a', { path: 'b' }), objectSpec('b', { path: 'c' })]
  t.equal(await render({ format: 'json', only: ['b'] }, { b: '1', c: '2' }, objects), '{\n  "a": "1"\n}\n')
})

void t.test('bundle selection: a member that is not known yet is not a problem', async (t) => {
  t.strictSame(membersOf({ format: 'json', only: ['x'], names: { x: 'y' } }, [], false).problems, [])
})
