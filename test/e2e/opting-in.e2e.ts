import { randomUUID } from 'node:crypto'
import t from 'tap'
import { injectionLabel, sidecarContainer, workloadIdentityLabel } from '../../shared/names.ts'
import { deployment, pod } from './support/apps.ts'
import { apply, get, kubectl, list, toYaml, tryApply, tryKubectl, type KubernetesObject } from './support/kubectl.ts'
import { getPod, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture, makeTeam } from './support/fixture.ts'

const app = { name: 'app', script: 'while :; do sleep 1; done' }
const wanted = { vault: 'my-kv', objects: 'db-password' }

const isInjected = (pod: Pod): boolean =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(({ name }) => name === sidecarContainer)

void t.test('opting in: a pod that does not request injection is unchanged', async (t) => {
  const namespace = await makeTeam(t)
  const other = await makeTeam(t, { [injectionLabel]: 'disabled' })
  const cases: [string, object][] = [
    [
      'no-label',
      pod(namespace, 'no-label', {
        annotations: wanted,
        labels: { [workloadIdentityLabel]: 'false' },
        containers: [app],
      }),
    ],
    ['no-annotation', pod(namespace, 'no-annotation', { containers: [app] })],
    ['no-namespace', pod(other, 'no-namespace', { annotations: wanted, containers: [app] })],
    ['opted-out', pod(namespace, 'opted-out', { annotations: { ...wanted, inject: 'false' }, containers: [app] })],
  ]
  for (const [name, object] of cases) {
    await apply(object)
    const created = await getPod(name === 'no-namespace' ? other : namespace, name)
    t.notOk(isInjected(created), `${name}: no sidecar`)
    t.notOk(
      created.spec.volumes?.some((volume) => volume.name.startsWith('akv-injector')),
      `${name}: no volume`,
    )
  }
})

void t.test('opting in: the mirror of a static pod is unchanged', async (t) => {
  const namespace = await makeTeam(t)
  const [node] = await list<{ metadata: { name: string; uid: string } }>(namespace, 'nodes')
  const { name, uid } = node!.metadata
  const { metadata, spec, ...rest } = pod(namespace, 'static', { annotations: wanted, containers: [app] })
  // Mirrors may have no ServiceAccount.
  const { serviceAccountName: _, ...bare } = spec
  const mirror = {
    ...rest,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, 'kubernetes.io/config.mirror': 'x' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid, controller: true }],
    },
    spec: { ...bare, nodeName: name },
  }
  const asKubelet = [`--as=system:node:${name}`, '--as-group=system:nodes']
  const { code, stdout, stderr } = await tryKubectl(
    ['create', '-f', '-', '--dry-run=server', '-o', 'json', ...asKubelet],
    toYaml([mirror]),
  )
  t.equal(code, 0, stderr)
  t.notOk(isInjected(JSON.parse(stdout) as Pod))
})

void t.test('opting in: the denial has every problem, also in the Event of the ReplicaSet', async (t) => {
  const namespace = await makeTeam(t)
  const annotations = { ...wanted, 'poll-intervall': '5m', signal: 'SIGHP', 'mount-path': 'secrets' }
  const denied = await tryApply([pod(namespace, 'wrong', { annotations, containers: [app] })])
  t.not(denied.code, 0)
  for (const part of [
    'poll-intervall',
    'did you mean "poll-interval"',
    'SIGHP',
    'did you mean "SIGHUP"',
    'mount-path',
    'absolute path',
  ]) {
    t.match(denied.stderr, part, `kubectl apply of a pod says ${part}`)
  }

  await apply(deployment(namespace, 'wrong', 1, { annotations, containers: [app] }))
  const event = await eventually('the ReplicaSet has an Event', async () => {
    const events = await list<{ involvedObject: { kind: string }; message: string }>(namespace, 'events')
    return events.find(
      ({ involvedObject, message }) => involvedObject.kind === 'ReplicaSet' && message.includes('poll-intervall'),
    )
  })
  t.match(event.message, 'did you mean "poll-interval"')
  t.match(event.message, 'did you mean "SIGHUP"')
})

void t.test('opting in: a dry run is answered like a real request and leaves no Event', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, {})
  const options = { annotations: { ...wanted, vault }, containers: [app] }
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'dry', uid: randomUUID(), controller: true }
  const asking = pod(namespace, 'dry', options)
  const object = { ...asking, metadata: { ...asking.metadata, ownerReferences: [owner] } }
  const dry = await tryApply([object], '--dry-run=server', '-o', 'json')
  t.equal(dry.code, 0, dry.stderr)
  t.ok(isInjected(JSON.parse(dry.stdout) as Pod), 'the answer shows the sidecar')
  t.strictSame(await list(namespace, 'pods'), [], 'no pod')
  t.strictSame(await list(namespace, 'secrets'), [], 'no Secret')
  t.strictSame(await emulator.counts(vault), {}, 'nothing asked of the vault')

  // Events are sent a moment later and in order: when one that is real has come, the other would have.
  await apply(deployment(namespace, 'real', 1, options))
  const owners = await eventually('what is no dry run has an Event', async () => {
    const events = await list<{ involvedObject: { name: string }; reason: string }>(namespace, 'events')
    const names = events.filter(({ reason }) => reason === 'Injected').map(({ involvedObject }) => involvedObject.name)
    return names.length > 0 && names
  })
  t.match(owners, [/^real-/], 'no Event of the dry run')
  t.equal(owners.length, 1)
})

void t.test('opting in: the example of the README works with one apply', async (t) => {
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'x' })
  await apply(pod(namespace, 'app', { annotations: { ...wanted, vault }, containers: [app] }))
  const created = await get<Pod & KubernetesObject>(namespace, 'pod', 'app')
  t.match(created.metadata.annotations, { 'azure.keyvault.injector/status': 'injected' })
  await kubectl(['wait', '-n', namespace, 'pod/app', '--for=condition=Ready', '--timeout=60s'])
})
