import type { Clock } from '../shared/clock.ts'
import type { Watcher } from './watch/watcher.ts'
import type { Rotations } from './rotation/rotations.ts'
import { Session, type EndReason, type Outlet } from './session.ts'
import type { PodIdentity, VerifyToken } from './tokens.ts'
import type { Turns } from './turns/turns.ts'

export interface SessionsOptions {
  watcher: Pick<Watcher, 'update' | 'remove' | 'looks'>
  rotations: Pick<Rotations, 'update' | 'forget' | 'lose'>
  turns: Pick<Turns, 'take' | 'end' | 'answer'>
  verify: VerifyToken
  /** Above this, no session begins. */
  limit: number
  /** Between two heartbeats, in milliseconds. */
  heartbeat: () => number
  /** PEM certificates that sidecars are to trust; sent again when they change. */
  caCertificates?: () => string | undefined
  clock: Clock
  onEnd?: (identity: PodIdentity, reason: EndReason) => void
}

/** A sidecar that has not been heard of for so many heartbeats is gone. */
const silentHeartbeats = 4
/** When a pod that was sent away comes back at the earliest, in milliseconds. */
const dismissedMs = 1_000

/** All sessions: one for each pod. */
export class Sessions {
  readonly #options: SessionsOptions
  /** By the uid of the pod. */
  readonly #sessions = new Map<string, Session>()
  readonly #stop = new AbortController()
  #heartbeats = 0

  constructor(options: SessionsOptions) {
    this.#options = options
    void this.#run()
  }

  get size(): number {
    return this.#sessions.size
  }

  /** The session of a pod. */
  of = (uid: string): Session | undefined => this.#sessions.get(uid)

  /** True if another pod's session would be one too many. */
  isFull(uid: string): boolean {
    return this.#sessions.size >= this.#options.limit && !this.#sessions.has(uid)
  }

  /** Begins a session, in place of an earlier one of the same pod. */
  open(identity: PodIdentity, outlet: Outlet): Session {
    this.#sessions.get(identity.uid)?.end('replaced')
    const { verify, clock, watcher, rotations, turns, caCertificates } = this.#options
    // What an earlier session of the pod said may not hold any more.
    rotations.forget(identity.uid)
    const session = new Session({
      ...{ identity, outlet, verify, clock },
      onSnapshot: (one, number, objects) => watcher.update(one, number, objects),
      onState: (one, state) => rotations.update(one.identity, state),
      onTurn: (one, state) => turns.take(one.identity, state),
      onEnd: (one, reason) => this.#ended(one, reason),
    })
    this.#sessions.set(identity.uid, session)
    session.welcome(caCertificates?.())
    return session
  }

  /** Sends a pod away, to look for the coordinator that decides who may switch. */
  dismiss(uid: string): void {
    const session = this.#sessions.get(uid)
    session?.send({ name: 'goodbye', retryAfterMs: dismissedMs })
    session?.end('elsewhere')
  }

  /** Tells every sidecar that this coordinator ends. */
  close(retryAfterMs: number): void {
    this.#stop.abort()
    for (const session of [...this.#sessions.values()]) {
      session.send({ name: 'goodbye', retryAfterMs })
      session.end('shutdown')
    }
  }

  #ended(session: Session, reason: EndReason): void {
    const { watcher, rotations, turns, onEnd } = this.#options
    const { uid } = session.identity
    watcher.remove(session)
    if (this.#sessions.get(uid) === session) this.#sessions.delete(uid)
    if (reason === 'left') rotations.forget(uid)
    else if (reason !== 'replaced') rotations.lose(uid)
    if (reason !== 'replaced') turns.end(uid, reason === 'left')
    onEnd?.(session.identity, reason)
  }

  async #run(): Promise<void> {
    const { clock, heartbeat, watcher, turns, caCertificates } = this.#options
    while (!this.#stop.signal.aborted) {
      await clock.wait(heartbeat(), this.#stop.signal)
      this.#heartbeats++
      const silentSince = clock.elapsed() - silentHeartbeats * heartbeat()
      for (const session of [...this.#sessions.values()]) {
        if (this.#stop.signal.aborted) return
        if (session.heardAt < silentSince) session.end('silent')
        else {
          session.welcome(caCertificates?.())
          const { snapshot } = session
          session.send({ name: 'heartbeat', number: this.#heartbeats, snapshot, looks: watcher.looks(session) })
          const turn = turns.answer(session.identity.uid)
          if (turn) session.send({ name: 'turn', ...turn })
        }
      }
    }
  }
}
