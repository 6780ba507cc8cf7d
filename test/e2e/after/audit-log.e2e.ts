import { join } from 'node:path'
import t, { type Test } from 'tap'
import { leaveOut } from '../../support/needs.ts'
import { deployment, pod } from '../support/apps.ts'
import { permissionsOf, readAudit, rolesIn, type Call } from '../support/audit.ts'
import { apply, get, tryApply } from '../support/kubectl.ts'
import { eventually } from '../support/eventually.ts'
import { installDefinition } from '../support/secret-provider-class.ts'
import { makeTeam } from '../support/fixture.ts'

const base = join(import.meta.dirname, '../../../manifests/base')
const { E2E_AUDIT_LOG: command, E2E_STARTED: started = '' } = process.env

const roles = rolesIn(base, 'rbac.yaml', 'certificates.yaml')
const containers = [{ name: 'app', script: 'true' }]

/** What the scenarios may not have brought about, each time it is called: a refusal that is reported again and again, and classes of the CSI driver. */
async function makeRareThings(t: Test): Promise<() => Promise<unknown>> {
  const namespace = await makeTeam(t)
  await installDefinition(t)
  await apply(...(await refusedWorkloads(namespace)))
  const asking = pod(namespace, 'app', { annotations: { 'secret-provider-class': 'kv' }, containers })
  return () => tryApply([asking], '--dry-run=server')
}

const refused = { annotations: { objects: 'x', splay: 'soon' }, containers }

/**
 * One owner of each kind whose pods have Events. A CronJob's own pods belong to its Jobs: one pod claims to be the
 * CronJob's.
 */
async function refusedWorkloads(namespace: string): Promise<object[]> {
  const { spec, ...replicas } = deployment(namespace, 'refused', 1, refused)
  const { selector, template } = spec
  const of = (apiVersion: string, kind: string, spec: object) => ({ ...replicas, apiVersion, kind, spec })
  const job = { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }
  const cronJob = of('batch/v1', 'CronJob', { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: job } })
  await apply(cronJob)
  const { metadata } = await get(namespace, 'cronjob', 'refused')
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'refused', uid: metadata.uid, controller: true }
  const owned = pod(namespace, 'owned', refused)
  await tryApply([{ ...owned, metadata: { ...owned.metadata, ownerReferences: [owner] } }])
  return [
    { ...replicas, spec },
    of('apps/v1', 'StatefulSet', { selector, template, serviceName: 'none', replicas: 1 }),
    of('apps/v1', 'DaemonSet', { selector, template }),
    of('batch/v1', 'Job', job),
  ]
}

const isOurs = ({ user }: Call): boolean =>
  /^system:serviceaccount:[^:]+:(akv-injector|akv-injector-coordinator|key-vault-emulator)$/.test(user)
const webhook = 'system:serviceaccount:akv-injector-system:akv-injector'

if (command === undefined || command === '') {
  leaveOut(t, 'the audit log: E2E_AUDIT_LOG names no command that prints it')
} else {
  void t.test('audit log: the webhook uses every permission it has, and no other', async (t) => {
    const again = await makeRareThings(t)
    const granted = permissionsOf(roles)
    t.ok(granted.length > 20)
    let unused = granted
    await eventually(
      'every permission is used',
      async () => {
        await again()
        const used = new Set(
          (await readAudit(command, started))
            .filter(({ user }) => user === webhook)
            .map(({ permission }) => permission),
        )
        unused = granted.filter((permission) => !used.has(permission))
        return unused.length === 0
      },
      { seconds: 150, every: 5000 },
    ).catch(() => undefined)
    t.strictSame(unused, [], 'every permission was used')

    const ours = (await readAudit(command, started)).filter(isOurs)
    // A call that has to wait for its turn for too long is rejected before it is authorized.
    const forbidden = ours.filter(({ decision, code }) => decision !== 'allow' && code !== 429)
    t.strictSame(
      forbidden.map(({ user, verb, uri }) => `${user} ${verb} ${uri}`),
      [],
      `of ${ours.length} calls none was forbidden`,
    )
  })

  void t.test('audit log: every decision has its audit annotations', async (t) => {
    const namespace = await makeTeam(t)
    const decided = async (annotations: Record<string, string>) => {
      await tryApply([pod(namespace, 'app', { annotations, containers })], '--dry-run=server')
      return eventually('the log has it', async () => {
        const call = (await readAudit(command, started)).findLast(({ uri }) =>
          uri.includes(`/namespaces/${namespace}/pods`),
        )
        const prefix = 'inject.azure.keyvault.injector/'
        const told = Object.entries(call?.annotations ?? {}).flatMap(([key, value]) =>
          key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
        )
        return told.length > 0 && (Object.fromEntries(told) as Record<string, string>)
      })
    }
    const injected = await decided({ vault: 'my-kv', objects: 'a, b' })
    t.match(injected, { decision: 'inject', mode: 'native', objects: '2', vaults: /^https:\/\/my-kv\./ })
    const refused = await decided({ vault: 'my-kv', objects: 'a', splay: 'soon' })
    t.match(refused, { decision: 'deny', reason: 'bad-annotation' })
  })
}
