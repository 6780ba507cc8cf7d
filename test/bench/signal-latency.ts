import { setTimeout as sleep } from 'node:timers/promises'
import { annotationPrefix, sidecarContainer } from '../../shared/names.ts'
import { makeServiceAccount, pod } from '../e2e/support/apps.ts'
import { connectEmulator, makeVault } from '../e2e/support/emulator.ts'
import { imageVariables, withInstallation } from '../e2e/support/installation.ts'
import { apply, kubectl, logs, makeNamespace } from '../e2e/support/kubectl.ts'
import { readyPods } from '../e2e/support/pods.ts'
import type { Lifetime } from '../e2e/support/process.ts'
import { readSettings } from '../e2e/support/settings.ts'
import type { Watched } from '../demo/processes.ts'
import type { Bench } from './bench.ts'
import type { BenchContext } from './bench-context.ts'

const pods = 20
const rotations = 10
/** A sidecar accepts one requested poll in ten seconds. */
const spacing = 10_500
/** The kubelet writes an annotation into a pod's volume within seconds, or in its next round. */
const longest = 150_000

/** Reports when its handler ran, and with which secret. */
const app = `
const say = (at) => console.log(JSON.stringify({ at, value: require('fs').readFileSync('/mnt/secrets/db-password', 'utf8') }))
process.on('SIGHUP', () => say(Date.now()))
say(Date.now())
setInterval(() => {}, 1000)`

/**
 * On a cluster: from the moment a sidecar has seen that an object changed in its vault to the moment the app's handler ran
 * with the new value. Two hundred rotations, each of them polled on request.
 */
export const signalLatency: Bench = {
  ids: ['signal-latency', 'signal-latency-p99'],
  lacks: () => (process.env['KUBECONFIG'] ? undefined : 'a cluster, named by KUBECONFIG'),
  async run(context) {
    const settings = readSettings(process.env)
    const image = imageVariables(settings).E2E_IMAGE
    const samples = await withInstallation(settings, console.error, () =>
      withLifetime((life) => rotateAll(context, life, image)),
    )
    const p99 = samples.toSorted((a, b) => a - b)[Math.ceil(samples.length * 0.99) - 1] ?? NaN
    return [
      { id: 'signal-latency', unit: 'ms', samples },
      { id: 'signal-latency-p99', unit: 'ms', samples: [p99] },
    ]
  },
}

/** Ends everything that was started in `use`, the last first. */
async function withLifetime<T>(use: (life: Lifetime) => Promise<T>): Promise<T> {
  const ends: (() => unknown)[] = []
  try {
    return await use({ teardown: (end) => ends.push(end) })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** @returns milliseconds for each rotation of each pod */
async function rotateAll({ supervisor }: BenchContext, life: Lifetime, image: string): Promise<number[]> {
  const namespace = await makeNamespace(life)
  const emulator = await connectEmulator(life)
  const vault = await makeVault(life)
  await makeServiceAccount(namespace)
  const names = Array.from({ length: pods }, (_, index) => `app-${index}`)
  for (const name of names) await emulator.setSecret(vault, name, 'first')
  await apply(
    ...names.map((name) =>
      pod(namespace, name, {
        annotations: { vault, objects: `${name}=db-password`, 'poll-interval': '1h', signal: 'SIGHUP' },
        labels: { app: 'bench' },
        containers: [{ name: 'app', image, script: '', command: ['/nodejs/bin/node', '-e', app] }],
      }),
    ),
  )
  await readyPods(namespace, 'app=bench', pods, 300)

  const latenciesOf = async (name: string, index: number): Promise<number[]> => {
    const log = supervisor.start(`log of ${name}`, 'kubectl', ['logs', '-n', namespace, name, '-c', 'app', '-f'])
    life.teardown(() => log.stop(1_000))
    await handled(log, 'first')
    // One after the other, so that they do not slow each other down.
    await sleep((index * spacing) / pods)
    const times: number[] = []
    for (let rotation = 1; rotation <= rotations; rotation++) {
      const next = sleep(spacing)
      await emulator.setSecret(vault, name, `${rotation}`)
      await kubectl(['annotate', 'pod', '-n', namespace, name, '--overwrite', `${annotationPrefix}refresh=${rotation}`])
      times.push(await handled(log, `${rotation}`))
      await next
    }
    const seen = seenAt(parse<Line>(await logs(namespace, name, sidecarContainer)))
    if (seen.length !== rotations) throw new Error(`${name} polled ${seen.length} times on request`)
    return times.map((at, rotation) => at - (seen[rotation] ?? NaN))
  }
  return (await Promise.all(names.map(latenciesOf))).flat()
}

/** Returns when the app's handler ran and read this value, as it reports itself, in milliseconds since 1970. */
const handled = (log: Watched, expected: string): Promise<number> =>
  log.line(
    `handler that read ${expected}`,
    (line) => {
      const { at, value } = JSON.parse(line) as { at: number; value: string }
      return value === expected ? at : undefined
    },
    longest,
  )

interface Line {
  time: string
  event: string
  operation?: string
}

/**
 * Returns when each change was found: the end of the first read after a poll was requested. Its line is written at that
 * moment.
 */
function seenAt(lines: Line[]): number[] {
  return lines.flatMap(({ event }, index) => {
    if (event !== 'refresh') return []
    const read = lines.slice(index).find(({ event, operation }) => event === 'vault-request' && operation === 'get')
    return read === undefined ? [] : [Date.parse(read.time)]
  })
}

const parse = <T>(log: string): T[] =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T)
