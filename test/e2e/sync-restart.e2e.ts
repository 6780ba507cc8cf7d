import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { leaveOut } from '../support/needs.ts'
import { permissionsOf, readAudit, type Role } from './support/audit.ts'
import { eventually } from './support/eventually.ts'
import { apply, kubectl, toYaml } from './support/kubectl.ts'
import { logs } from './support/kubectl.ts'
import * as sync from './support/sync.ts'

const { E2E_AUDIT_LOG: command, E2E_STARTED: started = '' } = process.env

/** Kills the program's pod without notice, and waits for the next one. */
async function killProgram(): Promise<void> {
  const [pod] = await sync.programPods()
  const { name = '', uid } = pod?.metadata ?? {}
  await kubectl(['delete', 'pod', '-n', 'akv-injector-system', name, '--grace-period=0', '--force'])
  await eventually('another pod of the program is there', async () => {
    const [next, more] = await sync.programPods()
    return next !== undefined && more === undefined && next.metadata.uid !== uid
  })
}

const request: sync.ClassRequest = {
  objects: [sync.secretLines('user'), sync.secretLines('password')],
  secretObjects: [sync.opaque('db', { user: 'user', password: 'password' })],
}

void t.test(
  'sync restart: killed between the read and the write, it leaves the old Secret and the next one writes the new',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { user: 'user-1', password: 'password-1' })
    const { namespace, emulator, vault } = fixture
    await sync.applyRole(await sync.applyClass(t, fixture, request))
    await sync.secretHas(namespace, 'db', { user: 'user-1', password: 'password-1' })
    const before = await emulator.counts(vault)
    const end = await emulator.fault({
      match: { vault, operation: 'secrets.get', object: 'password' },
      fault: { kind: 'hang' },
    })
    await emulator.setSecret(vault, 'user', 'user-2')
    await emulator.setSecret(vault, 'password', 'password-2')
    const reads = (counts: Record<string, number>): number => counts['secrets.get'] ?? 0
    await eventually('the program is reading', async () => reads(await emulator.counts(vault)) > reads(before))
    await killProgram()
    await sync.secretHas(namespace, 'db', { user: 'user-1', password: 'password-1' })
    await end()
    await sync.secretHas(namespace, 'db', { user: 'user-2', password: 'password-2' })
  },
)

/** Forbids the program to create Events in a namespace; returns how to allow them again. */
async function forbidEvents(t: Test, namespace: string): Promise<() => Promise<unknown>> {
  const name = `${namespace}-events`
  const policy = [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] }],
        },
        matchConditions: [{ name: 'program', expression: "request.userInfo.username.endsWith(':akv-injector-sync')" }],
        validations: [{ expression: `request.namespace != '${namespace}'`, message: 'no Events here' }],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ]
  const allow = () => kubectl(['delete', '-f', '-', '--ignore-not-found'], toYaml(policy))
  t.teardown(allow)
  await apply(...policy)
  return allow
}

/** Whether the API server would let the program create an Event; a policy is in force, or gone, only after a moment. */
function mayCreateEvents(namespace: string): Promise<boolean> {
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'probe', namespace },
    involvedObject: { namespace },
    reason: 'x',
  }
  return kubectl(['create', '-f', '-', sync.asProgram, '--dry-run=server'], toYaml([event])).then(
    () => true,
    () => false,
  )
}

void t.test('sync restart: killed between the write and its Event, the next one makes up for the Event', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { user: 'user-1', password: 'password-1' })
  const { namespace } = fixture
  const allow = await forbidEvents(t, namespace)
  await eventually('Events are forbidden', async () => !(await mayCreateEvents(namespace)))
  await sync.applyRole(await sync.applyClass(t, fixture, request))
  const { metadata } = await sync.secretHas(namespace, 'db', { user: 'user-1', password: 'password-1' })
  await allow()
  // Before the next process starts, which tries once.
  await eventually('Events are allowed again', () => mayCreateEvents(namespace))
  await killProgram()
  await sync.eventOn(namespace, 'Synced', /secret\/user@.*secret\/password@/)
  const after = await sync.readSecret(namespace, 'db')
  t.equal(after?.metadata.resourceVersion, metadata.resourceVersion, 'and does not write again')
})

void t.test('sync restart: no value is in its log, its metrics or its Events', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { user: 'canary-user', password: 'canary-password' })
  const { namespace, emulator, vault } = fixture
  await sync.applyRole(await sync.applyClass(t, fixture, request))
  await sync.secretHas(namespace, 'db', { user: 'canary-user', password: 'canary-password' })
  await emulator.setSecret(vault, 'password', 'canary-next')
  await sync.secretHas(namespace, 'db', { user: 'canary-user', password: 'canary-next' })
  const [pod] = await sync.programPods()
  const log = await logs('akv-injector-system', pod?.metadata.name ?? '', 'sync')
  t.match(log, /"event":"secret-write"/)
  t.match(log, namespace)
  const events = await kubectl(['get', 'events', '-n', namespace, '-o', 'json'])
  t.match(events, /Synced/)
  const encoded = ['canary-user', 'canary-password', 'canary-next'].map((text) => Buffer.from(text).toString('base64'))
  for (const text of ['canary', ...encoded]) t.notMatch(log + events, text)
})

if (command === undefined || command === '') leaveOut(t, 'the audit log: E2E_AUDIT_LOG names no command that prints it')
else
  void t.test(
    'sync restart: the audit log shows that the program uses each right that it has everywhere, and is refused only where it has no Role',
    async (t) => {
      const fixture = await sync.makeSyncFixture(t, { user: 'u', password: 'p' })
      const { namespace } = fixture
      // An Event that is sent again by the next process is counted up, with a PATCH.
      await sync.applyClass(t, fixture, request)
      await sync.eventOn(namespace, 'RoleMissing', /serviceaccounts/)
      await killProgram()
      const file = join(import.meta.dirname, '../../manifests/components/sync/rbac.yaml')
      const documents = parseAllDocuments(readFileSync(file, 'utf8')).map((one) => one.toJS() as Role)
      const everywhere = permissionsOf(documents.filter(({ kind }) => kind === 'ClusterRole'))
      t.strictSame(everywhere.toSorted(), [
        'create events',
        'get secretproviderclasses.secrets-store.csi.x-k8s.io',
        'list namespaces',
        'list secretproviderclasses.secrets-store.csi.x-k8s.io',
        'patch events',
        'watch namespaces',
        'watch secretproviderclasses.secrets-store.csi.x-k8s.io',
      ])
      const own = async () => (await readAudit(command, started)).filter(({ user }) => user === sync.programUser)
      await eventually('each was used', async () => {
        const used = new Set((await own()).map(({ permission }) => permission))
        return everywhere.every((permission) => used.has(permission))
      })
      const byName = [
        'get serviceaccounts',
        'create serviceaccounts/token',
        'get secrets',
        'create secrets',
        'patch secrets',
      ]
      const calls = await own()
      const beyond = calls.filter(
        ({ permission, decision }) => decision === 'allow' && ![...everywhere, ...byName].includes(permission),
      )
      t.strictSame(
        beyond.map(({ verb, uri }) => `${verb} ${uri}`),
        [],
        `of ${calls.length} calls`,
      )
      const refused = calls.filter(({ decision }) => decision === 'forbid').map(({ permission }) => permission)
      t.strictSame(
        refused.filter((permission) => permission !== 'get serviceaccounts' && !permission.includes('secrets')),
        [],
      )
    },
  )
