import { join } from 'node:path'
import t from 'tap'
import type { PodRotation, RotationAnswer } from '../../shared/coordination/rotation.ts'
import { annotationPrefix, injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { deployment, makeServiceAccount, reloading } from './support/apps.ts'
import { installCoordinated, namespaceOf, rotating } from './support/coordinated-installation.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { apply, kubectl, list, tryKubectl, type KubernetesObject } from './support/kubectl.ts'
import { logHas, readyPods } from './support/pods.ts'
import { run } from './support/process.ts'

const own = namespaceOf(rotating)
const program = join(import.meta.dirname, '../../dist/cli.js')
const deniedClient = '33333333-3333-4333-8333-333333333399'
const name = 'db-password'

interface WrittenEvent extends KubernetesObject {
  reason: string
  message: string
  involvedObject: { kind: string; name: string; uid?: string }
}

interface Asked {
  code: number
  answer: RotationAnswer
}

/** Runs `akv-injector rotation` as it is released. */
async function ask(vault: string): Promise<Asked> {
  const args = ['rotation', vault, name, '--system-namespace', own, '-o', 'json']
  const { code, stdout, stderr } = await run(process.execPath, [program, ...args])
  if (code === 2) throw new Error(stderr)
  return { code: code ?? -1, answer: JSON.parse(stdout) as RotationAnswer }
}

/** Each pod that does not use the newest version: its workload, its state and the cause. */
const namedIn = ({ answer }: Asked): Record<string, Pick<PodRotation, 'state' | 'cause'>> =>
  Object.fromEntries(
    [...answer.objects.flatMap(({ others }) => others), ...(answer.withoutSession ?? [])].map((one) => [
      one.pod.split('-')[0] ?? '',
      { state: one.state, cause: one.cause },
    ]),
  )

void t.test('coordinator: a rotation is complete, or each pod that is behind is named with the cause', async (t) => {
  await (await connectEmulator(t)).grant(rotating.client, metadataOnly)
  const { scale } = await installCoordinated(t, rotating)
  const labels = { [injectionLabel]: rotating.label }
  const { namespace, emulator, vault } = await makeFixture(t, { [name]: 'password-1' }, labels)
  await makeServiceAccount(namespace, 'denied', deniedClient)
  const app = (workload: string, replicas: number, more: Record<string, string> = {}, serviceAccountName = 'app') =>
    deployment(namespace, workload, replicas, {
      annotations: { vault, objects: name, 'poll-interval': '3s', ...more },
      containers: [{ name: 'app', script: reloading('echo start') }],
      spec: { serviceAccountName },
    })
  const signal = { signal: 'SIGHUP', 'signal-container': 'app' }
  await apply(app('web', 2, signal), app('quiet', 1), app('denied', 1, signal, 'denied'), app('paused', 1, signal))
  const pods = await readyPods(namespace, '', 5, 120)
  for (const { metadata } of pods)
    await logHas(namespace, metadata.name, sidecarContainer, 'the session with the coordinator began')
  const until = (what: string, check: (asked: Asked) => boolean): Promise<Asked> => {
    let last: Asked | undefined
    return eventually(
      what,
      async () => {
        last = await ask(vault)
        return check(last) && last
      },
      { seconds: 90, every: 1_000 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(last)}`)
    })
  }
  const inside = () =>
    tryKubectl([
      ...['exec', '-n', own, 'deploy/akv-injector-coordinator', '--'],
      ...['/nodejs/bin/node', '/app/rotation.js', vault, name],
    ])

  await t.test('all pods use the version that they started with', async (t) => {
    const { answer } = await until('the rotation is complete', ({ code }) => code === 0)
    t.match(answer.objects, [{ total: 5, current: 5, others: [], newest: { version: /^\w{32}$/ } }])
    const { code, stdout } = await inside()
    t.equal(code, 0)
    t.match(stdout, /5 of 5 pods: serves the newest version, and its app uses it\n/)
  })

  await t.test('pods that cannot follow are named, and the exit code is 1', async (t) => {
    await emulator.allowOnly(deniedClient, vault, 'secrets/other')
    const [paused] = await readyPods(namespace, 'app=paused', 1)
    const pausedPod = paused?.metadata.name ?? ''
    await kubectl(['annotate', 'pod', '-n', namespace, pausedPod, `${annotationPrefix}suspend=true`])
    await logHas(namespace, pausedPod, sidecarContainer, /"event":"live".*"suspend":true/, 120)
    await emulator.setSecret(vault, name, 'password-2')
    const asked = await until('web has the new version, and the others say why not', (one) => {
      const { denied, paused: suspended, quiet } = namedIn(one)
      const states = [denied?.state, suspended?.state, quiet?.state].join()
      return one.answer.objects[0]?.current === 2 && states === 'failing,suspended,unnotified'
    })
    t.equal(asked.code, 1)
    t.match(namedIn(asked), {
      denied: { state: 'failing', cause: /^forbidden: .*Key Vault Secrets User/ },
      paused: { state: 'suspended', cause: /suspend/ },
      quiet: { state: 'unnotified', cause: /neither signal nor notify-url/ },
    })
    t.equal(Object.keys(namedIn(asked)).length, 3)
    const { code, stdout } = await inside()
    t.equal(code, 1, 'kubectl exec passes it on')
    t.notMatch(stdout + JSON.stringify(asked), /password-[12]/, 'no value')
  })

  await t.test('Events name the pod that is refused, and the workload that has followed', async (t) => {
    const found = await eventually('both Events', async () => {
      const events = await list<WrittenEvent>(namespace, 'events')
      const refused = events.find(({ reason }) => reason === 'VaultRefused')
      const complete = events.find(({ reason }) => reason === 'RotationComplete')
      return refused && complete && { refused, complete }
    })
    t.match(found.refused, {
      involvedObject: { kind: 'Pod', name: /^denied-/ },
      message: /secret db-password: .*Key Vault Secrets User/,
    })
    t.match(found.complete, {
      involvedObject: { kind: 'ReplicaSet', name: /^web-/, uid: /./ },
      message: /the apps of all 2 pods that have a session use version \w{32}$/,
    })
    const described = await kubectl(['describe', 'replicaset', '-n', namespace, found.complete.involvedObject.name])
    t.match(described, /RotationComplete/)
    t.notMatch(JSON.stringify(found), /password-[12]/, 'no value')
  })

  await t.test('a pod without a session is found, and the exit code is 3', async (t) => {
    await emulator.grant(deniedClient, [{}])
    await kubectl(['annotate', 'pod', '-n', namespace, '-l', 'app=paused', `${annotationPrefix}suspend-`])
    await kubectl(['delete', 'deployment', '-n', namespace, 'quiet'])
    await until('all others follow', ({ code }) => code === 0)
    // Its namespace is in the installation of the other scenarios, which has no coordinator.
    const other = await makeFixture(t, {})
    const spec = { annotations: { vault, objects: name }, containers: [{ name: 'app', script: reloading('') }] }
    await apply(deployment(other.namespace, 'old', 1, spec))
    await readyPods(other.namespace, 'app=old', 1)
    const asked = await until('it is found', ({ answer }) => (answer.withoutSession ?? []).length > 0)
    t.equal(asked.code, 3)
    t.match(namedIn(asked), { old: { state: 'no-session', cause: /its settings name no coordinator/ } })
    await kubectl(['delete', 'deployment', '-n', other.namespace, 'old'])
    await until('it is gone', ({ code }) => code === 0)
  })

  await t.test('a coordinator that has just started does not know', async (t) => {
    await scale(0)
    await eventually(
      'it is gone',
      async () => (await tryKubectl(['get', 'pods', '-n', own])).stdout.split('coordinator').length === 1,
    )
    const { code, stderr } = await run(process.execPath, [program, 'rotation', vault, name, '--system-namespace', own])
    t.equal(code, 2)
    t.match(stderr, /there is no coordinator that is ready/)
    await scale(1)
    await readyPods(own, 'app.kubernetes.io/name=akv-injector-coordinator', 1, 60)
    const asked = await until('it does not know', ({ code }) => code === 3)
    t.match(asked.answer.unknown.join(), /the coordinator has run for \d+ s/)
    await until('it knows', ({ code }) => code === 0)
  })
})
