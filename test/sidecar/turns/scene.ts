import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseReport } from '../../../shared/coordination/reports.ts'
import type { TurnAnswer, TurnEvent, TurnRequest, TurnState } from '../../../shared/coordination/turns.ts'
import { createLogger } from '../../../shared/log.ts'
import type { Settings } from '../../../shared/settings/codec.ts'
import type { TurnSettings } from '../../../shared/settings/schema.ts'
import { createTurns } from '../../../sidecar/turns/create-turns.ts'
import { Volume } from '../../../sidecar/volume/volume.ts'
import { coordinatedPod } from '../coordination/scene.ts'

export const second = 1_000
export const minute = 60 * second

export const turnSettings: TurnSettings = { maxUnavailable: { count: 1 }, minReady: 10 * second, timeout: 10 * minute }
export const terminates = { signal: { name: 'SIGTERM', container: 'app' } as const, splay: 0 }

/** A pod that takes turns, in virtual time; the test is its coordinator, and its app. */
export async function turnPod(
  t: Test,
  objects: string[] = ['a'],
  { turns = {}, ...overrides }: Partial<Settings> & { turns?: Partial<TurnSettings> } = {},
) {
  const settings = { ...turnSettings, ...turns }
  const scene = await coordinatedPod(t, objects, { notify: terminates, ...overrides }, settings)
  const { pod, sent, send } = scene
  const app = { answer: { isReady: true, detail: 'GET http://:8080/healthz answered 200' }, asked: 0, draw: 0.5 }
  const log = createLogger('debug', { write: (line: string) => void pod.lines.push(JSON.parse(line) as never) })
  const work = async <T>(task: () => Promise<T>): Promise<T> => {
    pod.working++
    return task().finally(() => pod.working--)
  }
  const volume = new Volume(pod.mount, pod.clock)
  const create = createTurns({
    ...{ settings, notify: pod.settings.notify, clock: pod.clock, log },
    volume: { kept: (what) => volume.kept(what), keep: (what, text) => work(() => volume.keep(what, text)) },
    random: () => app.draw,
    ask: async () => {
      app.asked++
      return app.answer
    },
  })
  pod.turns = (host) => create({ ...host, retry: () => work(host.retry) })
  let pid = 100
  /** Starts the app's process; an earlier one has ended. */
  const startApp = (): void => {
    pod.latest = { container: 'app', pid: ++pid, name: 'node', since: pod.clock.now() }
    pod.targets = [pod.latest]
  }
  const stopApp = (): void => void (pod.targets = [])
  const states = (): TurnState[] =>
    sent.flatMap(({ line }) => {
      const parsed = parseReport(line)
      if (parsed === 'malformed') throw new Error(`not a report: ${line}`)
      return typeof parsed === 'object' && parsed.report.type === 'turn' ? [parsed.report] : []
    })
  const request = (): TurnRequest | undefined => states().at(-1)?.request
  const answer = (answer: TurnAnswer, more: Partial<TurnEvent> = {}): Promise<void> => {
    const { id = '' } = request() ?? {}
    return send({ name: 'turn', id, answer, members: 3, halts: [], ...more })
  }
  /** Grants the turn, and acknowledges that it was taken. */
  const grant = async (): Promise<void> => {
    await answer('granted')
    await answer('acknowledged', { take: request()?.take ?? 0 })
  }
  const phases = (): string[] => {
    const all = states().map(({ request }) => request?.phase ?? 'none')
    return all.filter((phase, index) => phase !== all[index - 1])
  }
  const modified = (path: string): number => statSync(join(pod.mount, path)).mtimeMs
  return {
    ...scene,
    appliedStates: scene.states,
    app,
    startApp,
    stopApp,
    states,
    request,
    answer,
    grant,
    phases,
    modified,
  }
}

/** The same, serving a first set for some minutes, with the app up and a session. */
export async function servingPod(...args: Parameters<typeof turnPod>) {
  const scene = await turnPod(...args)
  scene.startApp()
  await scene.pod.start()
  await scene.pod.advance(3 * minute)
  return scene
}

/** The same, after a rotation: a set waits for its turn. */
export async function waitingPod(...args: Parameters<typeof turnPod>) {
  const scene = await servingPod(...args)
  scene.pod.vault.set('a', 'a-2')
  await scene.pod.advance(3 * minute)
  return scene
}
