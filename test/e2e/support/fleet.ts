import { sidecarContainer } from '../../../shared/names.ts'
import { clientId, deployment, reloading } from './apps.ts'
import { eventually } from './eventually.ts'
import type { Fixture } from './fixture.ts'
import { followLogs } from './follow-logs.ts'
import { apply } from './kubectl.ts'
import { readyPods } from './pods.ts'
import type { Lifetime } from './process.ts'

/** The secrets of a fleet: the vault has at least these. With two, the coordinator looks at a list, twice after a change. */
export const fleetSecrets = { 'db-password': 'password-1', other: 'other-1' }

/** A line of a sidecar's log. */
export interface LogLine {
  time: string
  event?: string
  state?: string
  connected?: boolean
}

/** Starts a Deployment of small apps that are notified with SIGHUP, and follows what they and their sidecars print. */
export async function startFleet(
  t: Lifetime,
  { namespace, emulator, vault }: Fixture,
  { replicas, annotations }: { replicas: number; annotations: Record<string, string> },
) {
  const signal = { signal: 'SIGHUP', 'signal-container': 'app' }
  await apply(
    deployment(namespace, 'fleet', replicas, {
      annotations: { vault, objects: Object.keys(fleetSecrets).join(), ...signal, ...annotations },
      containers: [{ name: 'app', script: reloading('echo start') }],
    }),
  )
  const pods = await readyPods(namespace, 'app=fleet', replicas, 240)
  const names = pods.map(({ metadata }) => metadata.name)
  /** When each pod's app was first notified of a value, on the monotonic clock, by value and pod. */
  const notified = new Map<string, Map<string, number>>()
  followLogs(t, namespace, 'app=fleet', 'app', (pod, line) => {
    const value = /^reloaded: (.*)$/.exec(line)?.[1]
    if (value === undefined) return
    const times = notified.get(value) ?? new Map<string, number>()
    notified.set(value, times)
    if (!times.has(pod)) times.set(pod, performance.now())
  })
  const lines = new Map<string, LogLine[]>(names.map((name) => [name, []]))
  followLogs(t, namespace, 'app=fleet', sidecarContainer, (pod, line) => {
    lines.get(pod)?.push(JSON.parse(line) as LogLine)
  })

  /** Waits until the sidecar of each pod has a session. */
  const connected = (): Promise<boolean> =>
    eventually('each pod has a session', async () =>
      [...lines.values()].every((own) => own.findLast(({ event }) => event === 'coordinator')?.connected === true),
    )
  await connected()

  /** Returns the requests of the pods to the vault. */
  const requests = async (): Promise<number> => (await emulator.requests(vault, clientId)).length

  return {
    names,
    /** What the sidecars have logged so far, by pod. */
    lines,
    connected,

    /** Writes a value, and returns how many seconds it took to each handler, sorted; `isThere` is called once the vault has it. */
    async rotate(value: string, isThere?: () => Promise<unknown>): Promise<number[]> {
      const began = performance.now()
      await emulator.setSecret(vault, 'db-password', value)
      await isThere?.()
      const times = (): number[] => [...(notified.get(value)?.values() ?? [])]
      await eventually(`all apps are notified of ${value}`, async () => times().length === replicas).catch(
        (error: Error) => {
          throw new Error(`${error.message}: ${times().length} of ${replicas} are`)
        },
      )
      return times()
        .map((at) => (at - began) / 1000)
        .sort((one, other) => one - other)
    },

    /** Waits until no pod sends the vault a request for so many seconds, which must be more than a poll interval. */
    async quiet(seconds: number): Promise<void> {
      let last = { count: await requests(), at: performance.now() }
      await eventually(`no pod sends a request for ${seconds} s`, async () => {
        const count = await requests()
        if (count !== last.count) last = { count, at: performance.now() }
        return performance.now() - last.at > seconds * 1000
      })
    },
    requests,
  }
}
