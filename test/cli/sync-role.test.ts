import t from 'tap'
import { parseAllDocuments, stringify } from 'yaml'
import { runProgram } from '../../cli/program.ts'
import { roleOf } from '../../sync/role.ts'
import { opaque, secretObject, specOf, tls } from '../sync/fixture.ts'

/** Runs `akv-injector sync role` over a text. */
async function role(text: string, ...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const result = { out: '', err: '', code: 0 }
  await runProgram(['sync', 'role', ...args], {
    version: '1.0.0',
    read: async () => text,
    out: (more) => (result.out += more),
    err: (more) => (result.err += more),
    exit: (code) => (result.code = code),
  })
  return result
}

const classText = (
  secretObjects: unknown,
  annotations: object = { 'azure.keyvault.injector/sync-as': 'web-sync' },
): string =>
  stringify({
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: { name: 'web', namespace: 'shop', annotations: { ...annotations, 'kubectl.kubernetes.io/x': 'y' } },
    spec: specOf([secretObject('p')], secretObjects),
  })
const both = classText([opaque('db', { a: 'p' }), tls('web-tls', 'p')])
const inputs = {
  namespace: 'shop',
  name: 'web',
  serviceAccount: 'web-sync',
  secrets: ['db', 'web-tls'],
  programNamespace: 'akv-injector-system',
}

void t.test('sync role: prints the Role and the RoleBinding of a class', async (t) => {
  const { out, err, code } = await role(both, 'web')
  t.strictSame(
    parseAllDocuments(out).map((one) => one.toJS() as unknown),
    roleOf(inputs),
  )
  t.strictSame({ err, code }, { err: '', code: 0 })
  t.match(await role(both, 'web', '--program-namespace', 'platform'), { out: /namespace: platform/ })
  t.match(await role(both, 'web', '--allow-delete'), { out: /- patch\n\s+- delete\n/ })
})

void t.test('sync role: a Secret that cannot be written is not in it, and is told', async (t) => {
  const { out, err, code } = await role(
    classText([opaque('db', { a: 'p' }), { ...opaque('x', { a: 'p' }), type: 'Opaqu' }]),
    'web',
  )
  t.match(out, /resourceNames:\n\s+- db\n/)
  t.match(err, /left out: secretObjects\[1\] \("x"\): type "Opaqu"/)
  t.equal(code, 0)
})

void t.test('sync role: a class that is missing, does not ask, or lists nothing is an error', async (t) => {
  t.match(await role(both, 'wep'), { code: 2, err: /no SecretProviderClass "wep" in it \(did you mean "web"\?\)/ })
  t.match(await role(classText([opaque('db', { a: 'p' })], {}), 'web'), { code: 2, err: /sync-as ""/ })
  t.match(await role(classText([]), 'web'), { code: 2, err: /secretObjects is missing/ })
  t.match(await role('a: [', 'web'), { code: 2, err: /not valid YAML/ })
})
