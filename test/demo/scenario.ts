import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { secretsVolume } from '../../shared/names.ts'
import { additions, shortYaml } from './yaml-diff.ts'
import { bundles, ensureBundles } from './bundles.ts'
import { startCloud, type Cloud } from './cloud.ts'
import { appPod, type Pod } from './cluster.ts'
import { containerConfig, type Node } from './kubelet.ts'
import { listing } from './listing.ts'
import type { Supervisor, Watched } from './processes.ts'
import type { Runtime } from './runtime.ts'
import { startSidecar, untilReady } from './sidecar.ts'
import type { Step } from './steps.ts'
import { createPod, review, startWebhook } from './webhook.ts'
import { freePort } from '../support/free-port.ts'

export interface ScenarioOptions {
  step: Step
  /** Aborts if the scenario ends early. */
  signal: AbortSignal
  /** Prints lines between the steps. */
  print: (line: string) => void
  supervisor: Supervisor
  runtime: Runtime
  /** How the app is notified: by a signal, or by a POST. */
  notify: 'signal' | 'url'
  /** The programs to run. */
  programs: { sidecar: string; webhook: string }
  /** An empty folder for everything that is written. */
  folder: string
  /** Registers how to end something that is not a process of the supervisor. */
  onEnd: (end: () => Promise<void>) => void
}

const vault = 'shop-kv'
const secret = 'db-password'
const file = `/mnt/secrets/${secret}`
const appScript = join(import.meta.dirname, 'app.mjs')

/** Runs from a pod without secrets to an app that has read a rotated one. */
export async function runScenario(options: ScenarioOptions): Promise<void> {
  const { step, supervisor, programs, folder } = options
  if (Object.values(bundles).some((bundle) => Object.values(programs).includes(bundle))) {
    await step('build the bundles', async (say) =>
      say((await ensureBundles(options.signal)) ? 'done' : 'dist/ is up to date'),
    )
  }
  const cloud = await step('start a Key Vault emulator over TLS', async (say) => {
    const cloud = await startCloud()
    options.onEnd(() => cloud.emulator.close())
    say(`${vaultUrl(cloud)} holds db-password and api-key`)
    return cloud
  })
  const first = writeSecret(cloud, secret)
  writeSecret(cloud, 'api-key')

  const webhook = await step('start the webhook over HTTPS', async (say) => {
    const webhook = await startWebhook({
      supervisor,
      script: programs.webhook,
      folder: join(folder, 'webhook'),
      configuration: cloud.configuration,
    })
    say(`process ${webhook.process.pid}, port ${webhook.port}`)
    return webhook
  })
  const port = options.notify === 'url' ? await freePort() : undefined
  const received = requestedPod(port)
  const pod = await step('post an AdmissionReview of a new pod', async (say) => {
    const { patch, warnings } = await review(webhook, received)
    say(
      `allowed, a patch of ${patch.length} operations${warnings.length > 0 ? `, warnings: ${warnings.join('; ')}` : ''}`,
    )
    return createPod(received, patch)
  })
  options.print('what the patch added to the pod:')
  shortYaml(additions(received, { ...pod, metadata: { annotations: pod.metadata.annotations } } as never) ?? null)
    .split('\n')
    .forEach((line) => options.print(`  ${line}`))
  await live(options, cloud, pod, port, first)
}

/** The pod's containers run: secrets exist, the app reads them, and reads the rotated one when it is notified. */
async function live(
  { step, print, runtime, notify, programs, folder }: ScenarioOptions,
  cloud: Cloud,
  pod: Pod,
  port: number | undefined,
  first: string,
) {
  const node: Node = { folder: join(folder, 'volumes'), podIP: '127.0.0.1', signToken: cloud.signToken }
  const sidecar = await step('run the sidecar with what the patch gives it', async (say) => {
    const sidecar = await startSidecar(pod, programs.sidecar, runtime, node)
    say(`process ${sidecar.process.pid}${notify === 'signal' ? ' of the pod' : ''}`)
    return sidecar
  })
  await step('wait until the sidecar is ready', async (say) => {
    await untilReady(sidecar, pod, runtime, 20_000)
    say(`signed in as ${cloud.emulator.seen.at(-1)?.sub as string}`)
  })
  print('files under /mnt/secrets:')
  listing(join(node.folder, secretsVolume)).forEach((line) => print(`  ${line}`))

  const app = await step('start the app, which reads db-password', async (say) => {
    const app = await startApp(pod, runtime, node)
    say(`it says: ${await saysFingerprint(app, 'start', first)}`)
    return app
  })
  const second = await step('rotate db-password in the vault', () => writeSecret(cloud, secret))
  await step('see the app read the new value', async (say) => {
    say(`it says: ${await saysFingerprint(app, port === undefined ? 'SIGHUP' : 'POST /reload', second)}`)
  })
}

/** Returns the pod of a user's Deployment. */
const requestedPod = (port: number | undefined) =>
  appPod(
    {
      vault,
      objects: `${secret}, api-key`,
      'poll-interval': '1s',
      ...(port === undefined ? { signal: 'SIGHUP' } : { 'notify-url': `http://127.0.0.1:${port}/reload` }),
    },
    [file, ...(port === undefined ? [] : [String(port)])],
  )

const vaultUrl = ({ emulator }: Cloud) => `https://${new URL(emulator.url(vault)).hostname}`

/** Writes a new random value of a secret; returns what the app will show of it. */
function writeSecret({ emulator }: Cloud, name: string): string {
  const value = randomBytes(18).toString('base64url')
  emulator.vault(vault).setSecret(name, value)
  return createHash('sha256').update(value).digest('hex')
}

async function startApp(pod: Pod, runtime: Runtime, node: Node): Promise<Watched> {
  const container = pod.spec.containers.find(({ name }) => name === 'app')
  if (!container) throw new Error('the patched pod has lost its container app')
  return runtime.start(containerConfig(pod, container, node), { path: '/app/app.mjs', source: appScript })
}

/** Waits for the app's line, and compares what it read with the vault. */
async function saysFingerprint(app: Watched, why: string, expected: string): Promise<string> {
  const line = await app.line(`line "${why}"`, (line) => (line.startsWith(`${why}: `) ? line : undefined), 15_000)
  if (!line.includes(expected)) throw new Error(`the app read another value than the vault's ${expected}: ${line}`)
  return line.replace(expected, `${expected.slice(0, 16)}...`)
}
