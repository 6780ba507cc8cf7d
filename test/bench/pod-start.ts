import { setTimeout as sleep } from 'node:timers/promises'
import { KubeConfig } from '@kubernetes/client-node'
import { sidecarContainer } from '../../shared/names.ts'
import { createKubernetesApi, type Api } from '../../shared/kubernetes/api.ts'
import { makeServiceAccount, pod as podOf, type Container } from '../e2e/support/apps.ts'
import { connectEmulator, makeVault } from '../e2e/support/emulator.ts'
import { withInstallation } from '../e2e/support/installation.ts'
import { get, kubectl, makeNamespace } from '../e2e/support/kubectl.ts'
import { logHas } from '../e2e/support/pods.ts'
import { readSettings } from '../e2e/support/settings.ts'
import type { Bench } from './bench.ts'
import { barChart } from './chart.ts'
import { logLines, split, type InjectedTimes, type PlainTimes, type Split } from './pod-start-times.ts'
import { median, type Measured } from './results.ts'

/** Injected pods, and as many with the floor's sidecar. */
const runs = 40
/** Every so many of them, a pod without any sidecar. */
const plainEvery = 4
const parts = ['admission', 'container', 'signIn', 'fetch', 'probe'] as const
const idOf = (part: keyof Split) => `pod-start-${part === 'signIn' ? 'sign-in' : part}`

/**
 * How long an injected pod takes to start, on a real cluster with the emulator: from the request to the API server to the app's first
 * line. The floor is a pod with a native sidecar that does nothing but answer its startup probe. The kubelet's probes have a phase,
 * so each pod is created at a random moment. Times are the node's and this machine's: their clocks must agree.
 */
export const podStart: Bench = {
  ids: ['pod-start', 'pod-start-slow', 'pod-start-plain', ...parts.map(idOf)],
  lacks: () => (process.env['KUBECONFIG'] ? undefined : 'a cluster, named by KUBECONFIG'),
  async run({ draw }) {
    const teardowns: (() => unknown)[] = []
    const scope = { teardown: (done: () => unknown) => void teardowns.unshift(done) }
    const say = (step: string) => console.error(`pod-start: ${step}`)
    return withInstallation(readSettings(process.env), say, async () => {
      try {
        say('starting pods')
        const pods = await startPods(scope)
        draw('pod-start', chartOf(pods))
        return rowsOf(pods)
      } finally {
        for (const done of teardowns) await done()
      }
    })
  },
}

/** A pod, and how many of the kubelet's probes failed before its app started. Its app waited a second for the next of each. */
type Start = InjectedTimes & { failedProbes: number }

interface Pods {
  plain: Start[]
  floor: Start[]
  injected: Start[]
}
type Scope = Parameters<typeof makeNamespace>[0]

async function startPods(scope: Scope): Promise<Pods> {
  const injected = await makeNamespace(scope)
  const plain = await makeNamespace(scope, { 'azure.keyvault.injector/injection': 'disabled' })
  for (const namespace of [injected, plain]) await makeServiceAccount(namespace)
  const vault = await makeVault(scope)
  await (await connectEmulator(scope)).setSecret(vault, 'db-password', 'one')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const api = createKubernetesApi(kubeConfig)
  const start = async (namespace: string, name: string, sidecars: Container[] = []): Promise<Start> => {
    await sleep(Math.random() * 1000)
    const times = await startPod(api, namespace, name, vault, sidecars)
    const hasSidecar = namespace === injected
    const log = hasSidecar
      ? await logHas(namespace, name, sidecarContainer, '"switched"').then(() =>
          timestamps(namespace, name, sidecarContainer),
        )
      : ''
    const failedProbes = await failedProbesOf(namespace, name)
    await kubectl(['delete', 'pod', '-n', namespace, name, '--grace-period=1'])
    return { ...times, failedProbes, sidecar: logLines(log) }
  }
  const pods: Pods = { plain: [], floor: [], injected: [] }
  // The first of each kind finds no image, connection or compiled code.
  for (const kind of [injected, plain]) await start(kind, 'first')
  for (let run = 0; run < runs; run++) {
    if (run % plainEvery === 0) pods.plain.push(await start(plain, `plain-${run}`))
    pods.floor.push(await start(plain, `floor-${run}`, [floorSidecar]))
    pods.injected.push(await start(injected, `injected-${run}`))
  }
  return pods
}

/** A native sidecar that is ready as soon as its server listens. */
const floorSidecar: Container = {
  name: 'floor',
  script: 'mkdir /tmp/floor; exec httpd -f -p 8080 -h /tmp/floor',
  restartPolicy: 'Always',
  startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
}

async function startPod(
  api: Api,
  namespace: string,
  name: string,
  vault: string,
  initContainers: Container[],
): Promise<PlainTimes> {
  const body = podOf(namespace, name, {
    annotations: { vault, objects: 'db-password' },
    initContainers,
    containers: [{ name: 'app', script: 'echo up; trap "exit 0" TERM; while :; do sleep 1 & wait $!; done' }],
  })
  const asked = Date.now()
  await api.call({ method: 'POST', path: `/api/v1/namespaces/${namespace}/pods`, body })
  const created = Date.now()
  await logHas(namespace, name, 'app', 'up')
  const [first] = logLines(await timestamps(namespace, name, 'app'))
  return { asked, created, app: first?.at ?? NaN }
}

const timestamps = (namespace: string, name: string, container: string): Promise<string> =>
  kubectl(['logs', '-n', namespace, name, '-c', container, '--timestamps'])

/** The kubelet tells of each in an Event, which it counts up. */
async function failedProbesOf(namespace: string, name: string): Promise<number> {
  const selector = `--field-selector=involvedObject.name=${name},reason=Unhealthy`
  const { items } = await get<{ items: { count?: number }[] }>(namespace, 'events', selector)
  return items.reduce((sum, { count = 1 }) => sum + count, 0)
}

/** Returns the seconds from the request for a pod to the first line of its app. */
const total = ({ asked, app }: PlainTimes): number => (app - asked) / 1000

function rowsOf({ plain, floor, injected }: Pods): Measured[] {
  const floors = floor.map(total)
  const totals = injected.map(total)
  const slow = injected.filter(({ failedProbes }) => failedProbes > 0)
  const splits = injected.map(split)
  return [
    { id: 'pod-start', unit: 's', samples: totals, floor: floors, target: { aboveFloorAtMost: 0.25 } },
    { id: 'pod-start-slow', unit: `of ${runs} pods`, samples: [slow.length], target: { atMost: 0 } },
    { id: 'pod-start-plain', unit: 's', samples: plain.map(total) },
    ...parts.map((part) => ({ id: idOf(part), unit: 's', samples: splits.map((one) => one[part]) })),
  ]
}

function chartOf({ plain, floor, injected }: Pods): string {
  const splits = injected.map(split)
  const names = {
    admission: 'admission',
    container: "the sidecar's container",
    signIn: 'sign-in',
    fetch: 'fetch',
    probe: "probe, the app's container",
  }
  return barChart({
    title: 'The start of a pod with one secret',
    unit: 's',
    bars: [
      { name: 'without a sidecar', value: median(plain.map(total)) },
      { name: 'with one that only answers its probe', value: median(floor.map(total)) },
      { name: 'injected', value: median(injected.map(total)) },
      ...parts.map((part) => ({ name: `of that: ${names[part]}`, value: median(splits.map((one) => one[part])) })),
    ],
  })
}
