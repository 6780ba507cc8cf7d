import type { Test } from 'tap'
import { Turns } from '../../../coordinator/turns/turns.ts'
import { parseReport } from '../../../shared/coordination/reports.ts'
import type { TurnEvent } from '../../../shared/coordination/turns.ts'
import type { Readiness } from '../../../shared/settings/schema.ts'
import { settled, VirtualClock } from '../../support/clock.ts'
import { second, turnPod } from './scene.ts'

const step = 2 * second
/** How long the app takes to start, and then to be ready. */
const startMs = 2 * second
const readyMs = 8 * second

/** A pod with the real sidecar, its app, and what the kubelet makes of it. */
interface Replica {
  scene: Awaited<ReturnType<typeof turnPod>>
  uid: string
  /** Reports that the coordinator has read. */
  read: number
  sessions: number
  /** When the process starts, and when it is ready; it is not while another one runs. */
  app: { startsAt: number; isRunning: boolean; readyAt: number }
  /** When the kubelet asks next, and whether requests reach the pod. */
  probeAt: number
  isEndpoint: boolean
}

/** Replicas of a workload with real sidecars, and the coordinator's real turns between them, in virtual time. */
export class Replicas {
  readonly all: Replica[] = []
  /** The fewest endpoints since it was set. */
  fewest = Infinity
  readonly #clock = new VirtualClock()
  #turns: Turns
  readonly #events: { uid: string; event: TurnEvent }[] = []
  /** Until when a coordinator that has just started grants nothing. */
  #graceUntil = 0
  readonly #period: number

  static async start(t: Test, count: number, period: number): Promise<Replicas> {
    const replicas = new Replicas(period)
    for (let index = 0; index < count; index++) await replicas.#add(t, index)
    t.teardown(() => replicas.#turns.close())
    await replicas.pass(120 * second)
    return replicas
  }

  private constructor(period: number) {
    this.#period = period
    this.#turns = this.#start()
  }

  /** Writes a secret, which every pod reads within its poll interval. */
  set(name: string, value: string): void {
    for (const { scene } of this.all) scene.pod.vault.set(name, value)
  }

  /** How many pods serve this value of the secret. */
  serving = (name: string, value: string): number =>
    this.all.filter(({ scene }) => scene.pod.files()[name] === value).length

  /** The pod that holds a turn. */
  holder = (): Replica | undefined =>
    this.all.find(({ scene }) => scene.pod.sidecar && scene.pod.status().turn?.state === 'switched')

  /** Another coordinator takes the place of this one, which knows nothing. */
  async replaceCoordinator(graceMs: number): Promise<void> {
    this.#turns.close()
    this.#events.length = 0
    this.#turns = this.#start()
    this.#graceUntil = this.#clock.elapsed() + graceMs
    for (const { scene } of this.all) await scene.end()
  }

  /** Lets time pass until a condition holds; fails after an hour. */
  async until(what: string, condition: () => boolean): Promise<void> {
    for (let passed = 0; !condition(); passed += step) {
      if (passed > 3_600 * second) throw new Error(`not within an hour: ${what}`)
      await this.#tick()
    }
  }

  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += step) await this.#tick()
  }

  async #add(t: Test, index: number): Promise<void> {
    const readiness: Readiness = {
      ...{ scheme: 'http', port: 8080, path: '/', headers: [] },
      ...{ period: this.#period, timeout: second },
    }
    const turns = { readiness, minReady: 5 * second }
    const scene = await turnPod(t, ['a', 'b'], { pollInterval: 60 * second, turns })
    const { pod } = scene
    pod.random = () => (index + 1) / 7
    const replica: Replica = {
      ...{ scene, uid: `web-${index}`, read: 0, sessions: 0 },
      app: { startsAt: 0, isRunning: false, readyAt: Infinity },
      ...{ probeAt: index * second, isEndpoint: false },
    }
    pod.onNotified = () => {
      scene.stopApp()
      replica.app = { startsAt: this.#clock.elapsed() + startMs, isRunning: false, readyAt: Infinity }
      replica.isEndpoint = false
    }
    this.all.push(replica)
    await pod.start()
  }

  #start(): Turns {
    return new Turns({
      ...{ clock: this.#clock, limit: 100, lostGrace: () => 600 * second, turnGrace: () => 120 * second },
      send: (uid, event) => this.#events.push({ uid, event }),
      dismiss: () => undefined,
      onEnd: () => undefined,
      authority: {
        whyNot: () => (this.#clock.elapsed() < this.#graceUntil ? 'it has just started' : undefined),
        isElsewhere: () => false,
      },
    })
  }

  async #tick(): Promise<void> {
    for (const replica of this.all) {
      this.#runApp(replica)
      await replica.scene.pod.advance(step)
      this.#report(replica)
    }
    await this.#clock.advance(step, () => settled(() => true))
    for (const { uid, event } of this.#events.splice(0)) {
      const replica = this.all.find((one) => one.uid === uid)
      if (!replica?.scene.pod.sidecar) continue
      await replica.scene.send({ name: 'turn', ...event })
      this.#report(replica)
    }
    this.fewest = Math.min(this.fewest, this.all.filter(({ isEndpoint }) => isEndpoint).length)
  }

  #report(replica: Replica): void {
    const { scene, uid } = replica
    if (scene.sessions.length !== replica.sessions && replica.sessions > 0) this.#turns.end(uid, false)
    replica.sessions = scene.sessions.length
    const identity = {
      namespace: 'shop',
      serviceAccount: 'web',
      pod: uid,
      uid,
      group: 'deployment/web',
      expires: Infinity,
    }
    for (const { line } of scene.sent.slice(replica.read)) {
      const parsed = parseReport(line)
      if (typeof parsed === 'object' && parsed.report.type === 'turn') this.#turns.take(identity, parsed.report)
    }
    replica.read = scene.sent.length
  }

  /** The app reads its secret at its start: one that begins with `bad` ends it a second later. */
  #runApp(replica: Replica): void {
    const { scene, app } = replica
    const now = this.#clock.elapsed()
    const isBad = scene.pod.files()['a']?.startsWith('bad') ?? false
    if (app.isRunning && isBad) {
      scene.stopApp()
      Object.assign(app, { isRunning: false, startsAt: now + startMs })
    } else if (!app.isRunning && now >= app.startsAt) {
      scene.startApp()
      Object.assign(app, { isRunning: true, readyAt: isBad ? Infinity : now + readyMs })
    }
    const isReady = app.isRunning && now >= app.readyAt
    scene.app.answer = { isReady, detail: `GET http://:8080/ answered ${isReady ? 200 : 503}` }
    if (now < replica.probeAt) return
    replica.probeAt = now + this.#period
    replica.isEndpoint = isReady
  }
}
