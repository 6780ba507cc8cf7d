import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { deployment, makeServiceAccount, pod } from '../support/apps.ts'
import { permissionsOf, readAudit, type Call, type Role } from '../support/audit.ts'
import { apply, makeNamespace, tryApply } from '../support/kubectl.ts'
import { eventually } from '../support/process.ts'
import { installDefinition } from '../support/secret-provider-class.ts'

const base = join(import.meta.dirname, '../../../manifests/base')
const { E2E_AUDIT_LOG: command, E2E_STARTED: started = '' } = process.env

const roles = ['rbac.yaml', 'certificates.yaml'].flatMap((file) =>
  parseAllDocuments(readFileSync(join(base, file), 'utf8'))
    .map((one) => one.toJS() as Role)
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole'),
)
const containers = [{ name: 'app', script: 'true' }]

/** What the stories may not have brought about, each time it is called: a refusal told again and again, and classes of the CSI driver. */
async function makeRareThings(t: Test): Promise<() => Promise<unknown>> {
  const namespace = await makeNamespace(t)
  await makeServiceAccount(namespace)
  await installDefinition(t)
  await apply(deployment(namespace, 'refused', 1, { annotations: { objects: 'x', splay: 'soon' }, containers }))
  const asking = pod(namespace, 'app', { annotations: { 'secret-provider-class': 'kv' }, containers })
  return () => tryApply([asking], '--dry-run=server')
}

const isOurs = ({ user }: Call): boolean => /^system:serviceaccount:[^:]+:(akv-injector|key-vault-emulator)$/.test(user)
const webhook = 'system:serviceaccount:akv-injector-system:akv-injector'

if (command === undefined || command === '') {
  t.comment('AUDIT LOG NOT LOOKED AT: E2E_AUDIT_LOG names no command that prints it')
  t.pass('left out')
} else {
  void t.test('the webhook may do what it does, and nothing else', async (t) => {
    const again = await makeRareThings(t)
    const granted = permissionsOf(roles)
    t.ok(granted.length > 20)
    let unused = granted
    await eventually('every permission is used', async () => {
      await again()
      const used = new Set((await readAudit(command, started)).filter(({ user }) => user === webhook).map(({ permission }) => permission)) // prettier-ignore
      unused = granted.filter((permission) => !used.has(permission))
      return unused.length === 0
    }, { seconds: 150, every: 5000 }).catch(() => undefined) // prettier-ignore
    t.strictSame(unused, [], 'every permission was used')

    const ours = (await readAudit(command, started)).filter(isOurs)
    const forbidden = ours.filter(({ decision }) => decision !== 'allow')
    t.strictSame(forbidden.map(({ user, verb, uri }) => `${user} ${verb} ${uri}`), [], `of ${ours.length} calls none was forbidden`) // prettier-ignore
  })

  void t.test('what was decided is in the log of the cluster', async (t) => {
    const calls = await readAudit(command, started)
    const prefix = 'inject.azure.keyvault.injector/'
    const injected = calls.filter(({ annotations }) => annotations[`${prefix}decision`] === 'inject')
    const refused = calls.filter(({ annotations }) => annotations[`${prefix}decision`] === 'deny')
    t.ok(injected.length > 0 && refused.length > 0, `${injected.length} injections, ${refused.length} refusals`)
    for (const name of ['mode', 'objects', 'vaults'])
      t.ok(injected.every(({ annotations }) => annotations[prefix + name]), `each injection with its ${name}`) // prettier-ignore
    t.ok(refused.every(({ annotations }) => annotations[`${prefix}reason`]), 'each refusal with its reason') // prettier-ignore
  })
}
