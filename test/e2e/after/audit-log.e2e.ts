import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { permissionsOf, readAudit, type Role } from '../support/audit.ts'

const base = join(import.meta.dirname, '../../../manifests/base')
const { E2E_AUDIT_LOG: command, E2E_STARTED: started = '', E2E_WHOLE: whole } = process.env

const roles = ['rbac.yaml', 'certificates.yaml'].flatMap((file) =>
  parseAllDocuments(readFileSync(join(base, file), 'utf8'))
    .map((one) => one.toJS() as Role)
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole'),
)

if (command === undefined || command === '') {
  t.comment('AUDIT LOG NOT LOOKED AT: E2E_AUDIT_LOG names no command that prints it')
  t.pass('left out')
} else {
  const calls = await readAudit(command, started)

  void t.test('the webhook may do what it does, and nothing else', async (t) => {
    const ours = calls.filter(({ user }) =>
      /^system:serviceaccount:[^:]+:(akv-injector|key-vault-emulator)$/.test(user),
    )
    t.ok(ours.length > 0, `${ours.length} calls`)
    const forbidden = ours.filter(({ decision }) => decision !== 'allow')
    t.strictSame(forbidden.map(({ user, verb, uri }) => `${user} ${verb} ${uri}`), [], 'no call was forbidden') // prettier-ignore

    if (whole === undefined) return t.comment('PERMISSIONS NOT COMPARED with the calls: only some of the stories ran')
    const webhook = ours.filter(({ user }) => user === 'system:serviceaccount:akv-injector-system:akv-injector')
    const used = new Set(webhook.map(({ permission }) => permission))
    const granted = permissionsOf(roles)
    t.ok(granted.length > 20)
    t.strictSame(granted.filter((permission) => !used.has(permission)), [], 'every permission was used') // prettier-ignore
  })

  void t.test('what was decided is in the log of the cluster', async (t) => {
    const prefix = 'inject.azure.keyvault.injector/'
    const injected = calls.filter(({ annotations }) => annotations[`${prefix}decision`] === 'inject')
    t.ok(injected.length > 0, `${injected.length} injections`)
    for (const name of ['mode', 'objects', 'vaults'])
      t.ok(injected.every(({ annotations }) => annotations[prefix + name]), `each with its ${name}`) // prettier-ignore
  })
}
