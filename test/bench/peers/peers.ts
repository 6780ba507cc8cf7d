import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pod as podOf, makeServiceAccount } from '../../e2e/support/apps.ts'
import { eventually } from '../../e2e/support/eventually.ts'
import { withInstallation } from '../../e2e/support/installation.ts'
import { kubectl, logs, makeNamespace, tryKubectl } from '../../e2e/support/kubectl.ts'
import { getPod } from '../../e2e/support/pods.ts'
import { run } from '../../e2e/support/process.ts'
import { readSettings } from '../../e2e/support/settings.ts'
import { admissionReview } from '../../demo/cluster.ts'
import type { Bench } from '../bench.ts'
import type { Job, Load } from '../load.ts'
import type { Measured } from '../results.ts'
import { readPeer, type Peer } from './folder.ts'
import { findTarget, usage, usageAfter, type Target } from './target.ts'

const runs = 4
const durationMs = 20_000
const warmUpMs = 2_000
/** Requests until the engine has compiled the code in use. */
const untilWarm = 20_000
const manyConnections = 16
const afterMs = 60_000
/** The kubelet looks every ten seconds, and asking it takes what the webhook and the load generator could use. */
const lookMs = 5_000
const podBytes = 4_000

const ids = [
  ...['peer-cpu-1', 'peer-throughput-1', 'peer-p99-1'],
  ...['peer-cpu-16', 'peer-throughput-16', 'peer-p99-16'],
  ...['peer-memory-load', 'peer-memory-after'],
]

/**
 * Our webhook beside the one of a folder (see {@link readPeer}), on the cluster that KUBECONFIG names, in turn. The load generator runs
 * in the pod of the webhook, as an ephemeral container, and sends to the loopback address what the API server would; the kubelet
 * counts processor time and memory of the webhook's container alone. The floor of each row is the
 * peer; that of `peer-memory-after` is our own webhook before the load.
 */
export const peers: Bench = {
  ids,
  lacks: ({ peers }) =>
    peers === undefined
      ? 'a webhook to compare with: --peers'
      : process.env['KUBECONFIG']
        ? undefined
        : 'a cluster, named by KUBECONFIG',
  async run({ peers = '' }) {
    const peer = readPeer(peers)
    const teardowns: (() => unknown)[] = []
    const scope = { teardown: (end: () => unknown) => void teardowns.unshift(end) }
    const say = (step: string): void => console.error(`peers: ${step}`)
    return withInstallation(readSettings(process.env), say, async () => {
      try {
        const own = await ourselves(scope)
        say(`installing ${peer.deployment}`)
        await install(scope, peer)
        return await inTurn(await contestant(own), await contestant(peer), say)
      } finally {
        for (const end of teardowns) await end()
      }
    })
  },
}

type Scope = Parameters<typeof makeNamespace>[0]

/** Our own installation, and a pod of about the size of the reviews in decision 0007. */
async function ourselves(scope: Scope): Promise<Peer> {
  const namespace = await makeNamespace(scope)
  await makeServiceAccount(namespace)
  const env: { name: string; value: string }[] = []
  const containers = [{ name: 'app', script: 'true', env }]
  const make = (): object =>
    podOf(namespace, 'app', { annotations: { vault: 'bench-kv', objects: 'db-password' }, containers })
  while (JSON.stringify(make()).length < podBytes) {
    env.push({ name: `SETTING_${env.length}`, value: `https://service-${env.length}.shop.svc.cluster.local` })
  }
  return {
    ...{ namespace: 'akv-injector-system', deployment: 'akv-injector', configuration: 'akv-injector' },
    entry: 'inject.azure.keyvault.injector',
    pod: make(),
  }
}

async function install(scope: Scope, { image = '', manifests = '' }: Peer): Promise<void> {
  const [program = '', ...args] = (process.env['E2E_LOAD_ARCHIVE'] ?? 'kind load image-archive').split(' ')
  const { code, stdout, stderr } = await run(program, [...args, image], { seconds: 300 })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ${image}: exit code ${code}\n${stdout}${stderr}`)
  scope.teardown(() => tryKubectl(['delete', '-f', manifests, '--ignore-not-found', '--wait=false']))
  await kubectl(['apply', '-f', manifests])
}

/** A webhook that is measured, and the figures of its runs. */
interface Contestant {
  target: Target
  body: string
  idle: number
  figures: { connections: number; load: Load; cpu: number; anonymous: number }[]
}

async function contestant(peer: Peer): Promise<Contestant> {
  const target = await findTarget(peer)
  const { namespace } = (peer.pod as { metadata: { namespace?: string } }).metadata
  const review = admissionReview(peer.pod)
  const body = JSON.stringify({ ...review, request: { ...review.request, namespace: namespace ?? 'default' } })
  const { anonymous: idle } = await usageAfter(target, Date.now())
  return { target, body, idle, figures: [] }
}

async function inTurn(own: Contestant, peer: Contestant, say: (step: string) => void): Promise<Measured[]> {
  for (const one of [own, peer]) {
    say(`warming up ${one.target.pod}`)
    for (let answered = 0; answered < untilWarm;) {
      const load = await generate(one, manyConnections)
      if (!load.answer.includes('"patch"')) throw new Error(`${one.target.pod} injects nothing: ${load.answer}`)
      answered += load.answered
    }
  }
  for (let turn = 0; turn < runs; turn++) {
    for (const connections of [1, manyConnections]) {
      for (const one of [own, peer]) {
        say(`run ${turn + 1} of ${runs}: ${one.target.pod}, connections: ${connections}`)
        one.figures.push(await measure(one, connections))
      }
    }
  }
  await sleep(afterMs)
  const { anonymous: after } = await usageAfter(own.target, Date.now())
  return rowsOf(own, peer, after)
}

async function measure(one: Contestant, connections: number): Promise<Contestant['figures'][number]> {
  const before = await usageAfter(one.target, Date.now())
  let anonymous = 0
  let isRunning = true
  const watch = async (): Promise<void> => {
    while (isRunning) {
      anonymous = Math.max(anonymous, (await usage(one.target))?.anonymous ?? 0)
      await sleep(lookMs)
    }
  }
  const watching = watch()
  const load = await generate(one, connections).finally(() => (isRunning = false))
  await watching
  const after = await usageAfter(one.target, Date.now())
  const cpu = (after.cpu - before.cpu) / load.answered
  return { connections, load, cpu, anonymous: Math.max(anonymous, after.anonymous) }
}

const source = readFileSync(join(import.meta.dirname, '../load.ts'), 'utf8')
/** The kubelet reads `$$` as `$`. */
const literal = (text: string): string => text.replaceAll('$', () => '$$')
let containers = 0

async function generate({ target, body }: Contestant, connections: number): Promise<Load> {
  const { namespace, pod, port, path, servername, ca } = target
  const job: Job = { port, ca, servername, path, body, connections, duration: durationMs, warmUp: warmUpMs }
  const name = `load-${process.pid}-${containers++}`
  const place = `/api/v1/namespaces/${namespace}/pods/${pod}/ephemeralcontainers`
  const current = JSON.parse(await kubectl(['get', '--raw', place])) as { spec: { ephemeralContainers?: object[] } }
  const container = {
    ...{ name, image: process.env['E2E_IMAGE'] ?? 'localhost/akv-injector:e2e', imagePullPolicy: 'IfNotPresent' },
    args: ['--input-type=module-typescript', '-e', literal(source)],
    env: [{ name: 'LOAD_JOB', value: literal(JSON.stringify(job)) }],
    securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
  }
  ;(current.spec.ephemeralContainers ??= []).push(container)
  await kubectl(['replace', '--raw', place, '-f', '-'], JSON.stringify(current))
  const state = await eventually('the load generator ends', async () => {
    const { status } = (await getPod(namespace, pod)) as { status: { ephemeralContainerStatuses?: Ended[] } }
    return status.ephemeralContainerStatuses?.find((one) => one.name === name)?.state.terminated
  })
  const output = await logs(namespace, pod, name)
  if (state.exitCode !== 0) throw new Error(`the load generator failed:\n${output}`)
  return JSON.parse(output) as Load
}

interface Ended {
  name: string
  state: { terminated?: { exitCode: number } }
}

function rowsOf(own: Contestant, peer: Contestant, after: number): Measured[] {
  const of = (connections: number, figure: (one: Contestant['figures'][number]) => number) => {
    const [samples, floor] = [own, peer].map(({ figures }) =>
      figures.filter((one) => one.connections === connections).map(figure),
    ) as [number[], number[]]
    return { samples, floor }
  }
  const most = (one: Contestant): number[] => [Math.max(...one.figures.map(({ anonymous }) => anonymous))]
  return [
    ...[1, manyConnections].flatMap((connections): Measured[] => [
      { id: `peer-cpu-${connections}`, unit: 'ms', ...of(connections, ({ cpu }) => cpu), target: { ratioAtMost: 0.6 } },
      {
        ...{ id: `peer-throughput-${connections}`, unit: 'reviews/s' },
        ...of(connections, ({ load }) => load.perSecond),
        target: { ratioAtLeast: 1.5 },
      },
      {
        ...{ id: `peer-p99-${connections}`, unit: 'ms' },
        ...of(connections, ({ load }) => load.p99),
        ...(connections > 1 && { target: { ratioAtMost: 0.33 } }),
      },
    ]),
    { id: 'peer-memory-load', unit: 'MB', samples: most(own), floor: most(peer), target: { atMost: 50 } },
    { id: 'peer-memory-after', unit: 'MB', samples: [after], floor: [own.idle], target: { aboveFloorAtMost: 10 } },
  ]
}
