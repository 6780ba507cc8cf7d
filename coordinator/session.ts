import { startTimer, type Clock } from '../shared/clock.ts'
import { createLineReader } from '../shared/coordination/lines.ts'
import { formatEvent } from '../shared/coordination/event-stream.ts'
import { encodeEvent, type Change, type CoordinatorEvent } from '../shared/coordination/events.ts'
import { longestLine, messageRate, objectsPerEvent } from '../shared/coordination/limits.ts'
import { createBucket } from '../shared/coordination/rate.ts'
import type { ObjectState, PodState } from '../shared/coordination/pod-state.ts'
import { parseReport, type Report, type ServedObject } from '../shared/coordination/reports.ts'
import type { TurnState } from '../shared/coordination/turns.ts'
import { createCollector } from './collector.ts'
import type { Listener } from './watch/subscription.ts'
import type { PodIdentity, VerifyToken } from './tokens.ts'

/** Where events go. */
export interface Outlet {
  /** Bytes that wait to be sent. */
  readonly writableLength: number
  write(text: string): unknown
  end(): void
  /** Ends at once. */
  destroy(): void
}

export interface SessionOptions {
  identity: PodIdentity
  outlet: Outlet
  verify: VerifyToken
  clock: Pick<Clock, 'now' | 'elapsed' | 'wait'>
  onSnapshot: (session: Session, number: number, objects: readonly ServedObject[]) => void
  onState: (session: Session, state: PodState) => void
  onTurn: (session: Session, state: TurnState) => void
  /** Called once, with the reason. */
  onEnd: (session: Session, reason: EndReason) => void
}

/** Why a session ended; a label of a metric. */
export type EndReason =
  'left' | 'closed' | 'replaced' | 'expired' | 'malformed' | 'flooded' | 'slow' | 'silent' | 'elsewhere' | 'shutdown'

/** Bytes that may wait for a sidecar that reads slowly. */
const mostWaiting = 512 * 1024
/** How long a sidecar that is sent away may take to read the goodbye, in milliseconds. */
const goodbyeMs = 5_000
/** Events are sent more slowly than a sidecar accepts them. */
const pace = { perSecond: messageRate.perSecond / 2, burst: messageRate.burst / 2 }

/** One sidecar's session: its reports come in, its events go out. */
export class Session implements Listener {
  readonly identity: PodIdentity
  /** The last snapshot that was taken over. */
  snapshot = 0
  /** When the sidecar was last heard of, on the monotonic clock. */
  heardAt: number
  readonly #options: SessionOptions
  readonly #readLines = createLineReader(longestLine)
  readonly #received
  readonly #sent
  #queue: string[] = []
  #cancelPacing: (() => void) | undefined
  #expires: number
  #cancelExpiry: () => void
  readonly #collectSnapshot = createCollector<ServedObject>()
  readonly #collectState = createCollector<ObjectState>()
  #isEnded = false
  /** What the sidecar was told to trust; absent before. */
  #welcomed: { caCertificates: string | undefined } | undefined

  constructor(options: SessionOptions) {
    const { identity, clock } = options
    this.identity = identity
    this.#options = options
    this.#expires = identity.expires
    this.#received = createBucket({ capacity: messageRate.burst, refillMs: () => 1000 / messageRate.perSecond, clock })
    this.#sent = createBucket({ capacity: pace.burst, refillMs: () => 1000 / pace.perSecond, clock })
    this.heardAt = clock.elapsed()
    this.#cancelExpiry = this.#startExpiry()
  }

  get namespace(): string {
    return this.identity.namespace
  }

  /** Queues an event, in several if it names many objects. */
  send = (event: CoordinatorEvent): void => {
    for (const part of split(event)) this.#queue.push(formatEvent(...encodeEvent(part)))
    this.#flush()
  }

  /** Tells the sidecar which certificates to trust, once, and again if they changed. */
  welcome(caCertificates: string | undefined): void {
    if (this.#welcomed && caCertificates === this.#welcomed.caCertificates) return
    this.#welcomed = { caCertificates }
    this.send({ name: 'welcome', ...(caCertificates !== undefined && { caCertificates }) })
  }

  /** Takes what the sidecar sent. */
  receive(chunk: Uint8Array): void {
    const lines = this.#readLines(chunk)
    if (!lines.ok) return this.end('malformed')
    for (const line of lines.value) {
      if (this.#isEnded) return
      if (!this.#received.take()) return this.end('flooded')
      const parsed = parseReport(line)
      if (parsed === 'malformed') return this.end('malformed')
      if (parsed !== 'unknown') this.#take(parsed.report)
    }
  }

  /**
   * Ends the session, and at once its connection, which would otherwise keep what the sidecar does not read. A sidecar that is sent away
   * has time to read why.
   */
  end(reason: EndReason): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#cancelExpiry()
    this.#cancelPacing?.()
    const { outlet, clock, onEnd } = this.#options
    if (reason === 'shutdown' || reason === 'elsewhere') {
      outlet.end()
      // A server that ends closes all connections.
      if (reason === 'elsewhere') startTimer(clock, goodbyeMs, () => outlet.destroy())
    } else outlet.destroy()
    onEnd(this, reason)
  }

  #flush(): void {
    const { outlet, clock } = this.#options
    if (this.#isEnded || this.#cancelPacing) return
    while (this.#queue.length > 0 && this.#sent.take()) outlet.write(this.#queue.shift() as string)
    const waiting = this.#queue.reduce((sum, text) => sum + text.length, outlet.writableLength)
    if (waiting > mostWaiting) return this.end('slow')
    if (this.#queue.length === 0) return
    this.#cancelPacing = startTimer(clock, this.#sent.waitMs(), () => {
      this.#cancelPacing = undefined
      this.#flush()
    })
  }

  #take(report: Report): void {
    this.heardAt = this.#options.clock.elapsed()
    switch (report.type) {
      case 'snapshot':
        return this.#takeSnapshot(report)
      case 'state':
        return this.#takeState(report)
      case 'token':
        return void this.#renew(report.token)
      case 'leaving':
        return this.end('left')
      case 'turn':
        return this.#options.onTurn(this, report)
      case 'seen':
    }
  }

  #takeSnapshot(part: Report & { type: 'snapshot' }): void {
    const objects = this.#collectSnapshot(part)
    if (objects === 'malformed') return this.end('malformed')
    if (objects === 'more') return
    this.snapshot = part.number
    this.#options.onSnapshot(this, part.number, objects)
  }

  #takeState({ type: _type, number, part, parts, objects: own, ...pod }: Report & { type: 'state' }): void {
    const objects = this.#collectState({ number, part, parts, objects: own })
    if (objects === 'malformed') return this.end('malformed')
    if (objects === 'more') return
    this.#options.onState(this, { ...pod, objects })
  }

  /** Prolongs the session if the token is that of the same pod and group; any other ends nothing. */
  async #renew(token: string): Promise<void> {
    const verified = await this.#options.verify(token).catch(() => undefined)
    if (!verified?.ok || this.#isEnded) return
    const { uid, group, namespace, expires } = verified.value
    const isSame = uid === this.identity.uid && group === this.identity.group && namespace === this.identity.namespace
    if (!isSame || expires <= this.#expires) return
    this.#expires = expires
    this.#cancelExpiry()
    this.#cancelExpiry = this.#startExpiry()
  }

  #startExpiry(): () => void {
    const { clock } = this.#options
    return startTimer(clock, Math.max(0, this.#expires - clock.now()), () => this.end('expired'))
  }
}

/** Cuts an event into such that each is small enough, whatever the objects are called. */
function split(event: CoordinatorEvent): CoordinatorEvent[] {
  if (event.name === 'change') return chunks<Change>(event.changes).map((changes) => ({ ...event, changes }))
  if (event.name === 'coverage') return chunks(event.objects).map((objects) => ({ ...event, objects }))
  return [event]
}

const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / objectsPerEvent) }, (_, index) =>
    items.slice(index * objectsPerEvent, (index + 1) * objectsPerEvent),
  )
