import type { Clock } from '../shared/clock.ts'
import type { Watcher } from './watch/watcher.ts'
import { Session, type EndReason, type Outlet } from './session.ts'
import type { PodIdentity, VerifyToken } from './tokens.ts'

export interface SessionsOptions {
  watcher: Pick<Watcher, 'update' | 'remove' | 'looks'>
  verify: VerifyToken
  /** Above this, no session begins. */
  limit: number
  /** Between two heartbeats, in milliseconds. */
  heartbeat: () => number
  /** PEM certificates that sidecars are to trust; absent if those of their settings suffice. */
  caCertificates?: () => string | undefined
  clock: Clock
  onEnd?: (identity: PodIdentity, reason: EndReason) => void
}

/** A sidecar that has not been heard of for so many heartbeats is gone. */
const silentHeartbeats = 4

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

  /** True if another pod's session would be one too many. */
  isFull(uid: string): boolean {
    return this.#sessions.size >= this.#options.limit && !this.#sessions.has(uid)
  }

  /** Begins a session, in place of an earlier one of the same pod. */
  open(identity: PodIdentity, outlet: Outlet): Session {
    this.#sessions.get(identity.uid)?.end('replaced')
    const { verify, clock, watcher, caCertificates } = this.#options
    const session = new Session({
      ...{ identity, outlet, verify, clock },
      onSnapshot: (one, number, objects) => watcher.update(one, number, objects),
      onEnd: (one, reason) => this.#ended(one, reason),
    })
    this.#sessions.set(identity.uid, session)
    const trusted = caCertificates?.()
    session.send({ name: 'welcome', ...(trusted !== undefined && { caCertificates: trusted }) })
    return session
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
    const { watcher, onEnd } = this.#options
    watcher.remove(session)
    if (this.#sessions.get(session.identity.uid) === session) this.#sessions.delete(session.identity.uid)
    onEnd?.(session.identity, reason)
  }

  async #run(): Promise<void> {
    const { clock, heartbeat, watcher } = this.#options
    while (!this.#stop.signal.aborted) {
      await clock.wait(heartbeat(), this.#stop.signal)
      this.#heartbeats++
      const silentSince = clock.elapsed() - silentHeartbeats * heartbeat()
      for (const session of [...this.#sessions.values()]) {
        if (this.#stop.signal.aborted) return
        if (session.heardAt < silentSince) session.end('silent')
        else {
          const { snapshot } = session
          session.send({ name: 'heartbeat', number: this.#heartbeats, snapshot, looks: watcher.looks(session) })
        }
      }
    }
  }
}
