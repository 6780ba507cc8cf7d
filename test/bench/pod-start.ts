import { KubeConfig } from '@kubernetes/client-node'
import { sidecarContainer } from '../../shared/names.ts'
import { kubernetesApi, type Api } from '../../webhook/cluster/api.ts'
import { makeServiceAccount, pod as podOf } from '../e2e/support/apps.ts'
import { connectEmulator, makeVault } from '../e2e/support/emulator.ts'
import { withInstallation } from '../e2e/support/installation.ts'
import { kubectl, makeNamespace } from '../e2e/support/kubectl.ts'
import { logHas } from '../e2e/support/pods.ts'
import { readSettings } from '../e2e/support/settings.ts'
import type { Bench } from './bench.ts'
import { barChart } from './chart.ts'
import { logLines, split, type InjectedTimes, type PlainTimes, type Split } from './pod-start-times.ts'
import { median, type Measured } from './results.ts'

const runs = 9
const parts = ['admission', 'container', 'signIn', 'fetch', 'probe'] as const
const idOf = (part: keyof Split) => `pod-start-${part === 'signIn' ? 'sign-in' : part}`

/**
 * How much later an app starts for being injected, on a real cluster with the emulator: from asking the API server for the pod to
 * the app's first line, less the same for a pod without injection. Times are the node's and this machine's: their clocks must agree.
 */
export const podStart: Bench = {
  ids: ['pod-start', 'pod-start-plain', ...parts.map(idOf)],
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

type Pods = { plain: PlainTimes; injected: InjectedTimes }[]
type Scope = Parameters<typeof makeNamespace>[0]

async function startPods(scope: Scope): Promise<Pods> {
  const injected = await makeNamespace(scope)
  const plain = await makeNamespace(scope, { 'azure.keyvault.injector/injection': 'disabled' })
  for (const namespace of [injected, plain]) await makeServiceAccount(namespace)
  const vault = await makeVault(scope)
  await (await connectEmulator(scope)).setSecret(vault, 'db-password', 'one')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const api = kubernetesApi(kubeConfig)
  const start = async (namespace: string, name: string): Promise<InjectedTimes> => {
    const times = await startPod(api, namespace, name, vault)
    const hasSidecar = namespace === injected
    const log = hasSidecar ? await logHas(namespace, name, sidecarContainer, '"switched"').then(() => timestamps(namespace, name, sidecarContainer)) : '' // prettier-ignore
    await kubectl(['delete', 'pod', '-n', namespace, name, '--grace-period=1'])
    return { ...times, sidecar: logLines(log) }
  }
  const pods: Pods = []
  // The first of each finds no image, no connection and no compiled code.
  for (let run = 0; run <= runs; run++) {
    const pair = { plain: await start(plain, `plain-${run}`), injected: await start(injected, `injected-${run}`) }
    if (run > 0) pods.push(pair)
  }
  return pods
}

async function startPod(api: Api, namespace: string, name: string, vault: string): Promise<PlainTimes> {
  const body = podOf(namespace, name, {
    annotations: { vault, objects: 'db-password' },
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

/** Seconds from asking for a pod to its app's first line. */
const total = ({ asked, app }: PlainTimes): number => (app - asked) / 1000

function rowsOf(pods: Pods): Measured[] {
  const plain = pods.map((pair) => total(pair.plain))
  const added = pods.map((pair) => total(pair.injected) - total(pair.plain))
  const splits = pods.map(({ injected }) => split(injected))
  return [
    { id: 'pod-start', unit: 's', samples: added, target: { atMost: 2.1 } },
    { id: 'pod-start-plain', unit: 's', samples: plain },
    ...parts.map((part) => ({ id: idOf(part), unit: 's', samples: splits.map((one) => one[part]) })),
  ]
}

function chartOf(pods: Pods): string {
  const splits = pods.map(({ injected }) => split(injected))
  const names = { admission: 'admission', container: "the sidecar's container", signIn: 'sign-in', fetch: 'fetch', probe: "probe, the app's container" } // prettier-ignore
  return barChart({
    title: 'The start of a pod with one secret',
    unit: 's',
    bars: [
      { name: 'without injection', value: median(pods.map(({ plain }) => total(plain))) },
      { name: 'with it', value: median(pods.map(({ injected }) => total(injected))) },
      ...parts.map((part) => ({ name: `of that: ${names[part]}`, value: median(splits.map((one) => one[part])) })),
    ],
  })
}
