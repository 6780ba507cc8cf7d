import type { Test } from 'tap'
import type { Clock } from '../../../shared/clock.ts'
import type { CoordinatorEvent } from '../../../shared/coordination/events.ts'
import type { PodState } from '../../../shared/coordination/pod-state.ts'
import type { ServedObject } from '../../../shared/coordination/reports.ts'
import { parseReport } from '../../../shared/coordination/reports.ts'
import { createLogger } from '../../../shared/log.ts'
import type { ConnectionEnd, ConnectionOptions } from '../../../shared/coordination/connection.ts'
import type { Coordination } from '../../../sidecar/poll/coordination.ts'
import { createCoordination } from '../../../sidecar/coordination/coordinate.ts'
import type { Settings } from '../../../shared/settings/codec.ts'
import type { TurnSettings } from '../../../shared/settings/schema.ts'
import { podWith } from '../../support/sidecar-pod.ts'
import { vaultUrl } from '../../support/settings.ts'
import type { ObjectSpec } from '../../../shared/objects/spec.ts'

export const myVault = vaultUrl('my-kv')

/** A pod in virtual time whose coordinator is the test: it sends events and reads reports. */
export async function coordinatedPod(
  t: Test,
  objects: (string | ObjectSpec)[],
  overrides: Partial<Settings> = {},
  turns?: TurnSettings,
) {
  const access = { url: 'https://coordinator.example', coverageAge: 60_000, reconnect: 5_000 }
  const coordinator = { ...access, ...(turns && { turns }) }
  const pod = await podWith(t, objects, { ...overrides, coordinator })
  const tokens = ['token-1']
  const sent: { line: string; session: number }[] = []
  const sessions: ConnectionOptions[] = []
  /** Whether a coordinator answers. */
  const net = { isUp: true, end: { reason: 'refused' } as ConnectionEnd }
  const wait = async (milliseconds: number, abort: AbortSignal): Promise<void> => {
    pod.otherWaits++
    await pod.clock.wait(milliseconds, abort)
    pod.otherWaits--
  }
  const clock: Clock = { now: pod.clock.now, elapsed: pod.clock.elapsed, wait }
  let coordination: Coordination | undefined
  const coordinate = createCoordination({
    access: coordinator,
    readToken: async () => tokens[0] ?? '',
    clock,
    random: () => pod.random(),
    log: createLogger('debug', { write: (line: string) => void pod.lines.push(JSON.parse(line) as never) }),
    connect(options) {
      const session = sessions.push(options)
      queueMicrotask(() => (net.isUp ? options.onOpen() : options.onEnd(net.end)))
      return {
        send: (line) => void sent.push({ line: line.trim(), session }),
        leave: (line) => void sent.push({ line: line.trim(), session }),
        close: () => options.onEnd({ reason: 'closed' }),
      }
    },
  })
  pod.coordinate = (host) => (coordination = coordinate(host))
  const leave = (): void => coordination?.leave()
  /** What the sidecar said last that it serves. */
  const served = (): { number: number; objects: ServedObject[] } => {
    const reports = sent.map(({ line }) => parseReport(line))
    const snapshots = reports.flatMap((one) =>
      typeof one === 'object' && one.report.type === 'snapshot' ? [one.report] : [],
    )
    const number = snapshots.at(-1)?.number ?? 0
    return { number, objects: snapshots.at(-1)?.objects ?? [] }
  }
  /** The states that the sidecar reported, each of one line. */
  const states = (): PodState[] =>
    sent.flatMap(({ line }) => {
      const parsed = parseReport(line)
      return typeof parsed === 'object' && parsed.report.type === 'state' ? [parsed.report] : []
    })
  const send = async (event: CoordinatorEvent): Promise<void> => {
    sessions.at(-1)?.onEvent(event)
    await pod.idle()
  }
  let heartbeats = 0
  const look = (ageMs = 0): Promise<void> =>
    send({
      name: 'heartbeat',
      number: ++heartbeats,
      snapshot: served().number,
      looks: [{ vault: myVault, type: 'secret', ageMs }],
    })
  const cover = (isCovered = true): Promise<void> =>
    send({ name: 'coverage', snapshot: served().number, isCovered, objects: served().objects })
  /** Lets time pass while the coordinator looks every 15 s. */
  const pass = async (milliseconds: number): Promise<void> => {
    for (let rest = milliseconds; rest > 0; rest -= 20_000) {
      await pod.advance(Math.min(20_000, rest))
      await look()
    }
  }
  const hint = (name: string, version?: string, created?: number, spreadMs = 1_000): Promise<void> =>
    send({
      name: 'change',
      spreadMs,
      changes: [
        {
          ...{ vault: myVault, type: 'secret', name },
          ...(version !== undefined && { version }),
          ...(created !== undefined && { created }),
        },
      ],
    })
  const now = (): number => Math.floor(pod.clock.now() / 1000)
  const end = async (one: ConnectionEnd = { reason: 'lost' }): Promise<void> => {
    sessions.at(-1)?.onEnd(one)
    await pod.idle()
  }
  return { pod, clock, tokens, sent, sessions, net, served, states, leave, send, look, cover, pass, hint, now, end }
}

/** The same, covered since some minutes. */
export async function coveredPod(
  t: Test,
  objects: (string | ObjectSpec)[] = ['a', 'b'],
  overrides: Partial<Settings> = {},
) {
  const scene = await coordinatedPod(t, objects, overrides)
  await scene.pod.start()
  await scene.pod.advance(5_000)
  await scene.look()
  await scene.cover()
  await scene.pass(300_000)
  scene.pod.vault.asked.length = 0
  return scene
}
