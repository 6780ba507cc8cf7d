import type { Server } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Clock } from '../shared/clock.ts'
import type { PodRotationState, RotationAnswer } from '../shared/coordination/rotation.ts'
import type { VaultFailure } from '../shared/vault/store.ts'
import type { SentEvent } from '../shared/kubernetes/event-sender.ts'
import { createKeySource, type ClusterKeys } from './keys.ts'
import { Session, type EndReason } from './session.ts'
import { createSessionServer, type RefusalReason } from './server.ts'
import { answerRotation, type RotationFacts } from './rotation/answer.ts'
import { announce } from './rotation/announce.ts'
import { countPods } from './rotation/counts.ts'
import { Rotations } from './rotation/rotations.ts'
import { Sessions } from './sessions.ts'
import { Authority } from './turns/authority.ts'
import { turnEvents } from './turns/events.ts'
import type { Lease } from './turns/lease.ts'
import type { TurnOutcome } from './turns/member.ts'
import { Turns } from './turns/turns.ts'
import { createTokenVerifier, type VerifyToken } from './tokens.ts'
import { Watcher, type WatchedVault } from './watch/watcher.ts'

/** What a coordinator works with. Durations are in milliseconds; functions are called again, because configurations change. */
export interface CoordinatorOptions {
  tls: SecureContextOptions
  /** Reads the keys of ServiceAccount tokens, and their issuer. */
  readKeys: () => Promise<ClusterKeys>
  /** Verifies tokens in place of these keys. */
  verify?: VerifyToken
  /** Opens a vault. */
  vault: (url: string) => WatchedVault
  isAllowed: (namespace: string, url: string) => boolean
  /** Whether a vault, by its URL, has a name. */
  isNamed: (url: string, name: string) => boolean
  durations: () => {
    watchInterval: number
    heartbeat: number
    coverageAge: number
    startGrace: number
    lostGrace: number
    refusedAfter: number
    turnGrace: number
  }
  /** Requests a second. */
  hintRate: () => number
  sessionLimit: number
  /** PEM certificates that sidecars are to trust. */
  caCertificates?: () => string | undefined
  notReady?: () => string | undefined
  metrics?: () => Promise<{ contentType: string; text: string }>
  /** Says whether this coordinator may grant turns; without one, it grants none. */
  lease?: Pick<Lease, 'heldMs' | 'other'>
  onTurn?: (outcome: TurnOutcome) => void
  /** Sends an Event; absent in tests that need none. */
  tell?: (event: SentEvent) => Promise<void>
  onFailure?: (url: string, failure: VaultFailure) => void
  onRefused?: (reason: RefusalReason, error?: Error) => void
  onEnd?: (reason: EndReason) => void
  clock: Clock
}

/** A coordinator, not listening yet. */
export interface Coordinator {
  readonly server: Server
  readonly sessions: Sessions
  readonly watcher: Watcher
  readonly rotations: Rotations
  readonly turns: Turns
  /** Says where the rotation of an object is. */
  rotation: (vault: string, name: string) => RotationAnswer
  /** How many pods are in each state. */
  pods: () => Readonly<Record<PodRotationState, number>>
  /** Ends all sessions with a goodbye, and the server. */
  close(): Promise<void>
}

const noLease = { heldMs: undefined, other: undefined }

/** Sidecars come back soon: another coordinator is about to start. */
const goodbyeRetryMs = 1_000

export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { tls, clock, vault, isAllowed, durations, hintRate, sessionLimit } = options
  const verify = options.verify ?? createTokenVerifier(createKeySource(options.readKeys, clock), clock)
  const watcher = new Watcher({
    ...{ vault, isAllowed, hintRate, clock },
    watchInterval: () => durations().watchInterval,
    onFailure: (url, failure) => options.onFailure?.(url, failure),
  })
  const rotations = new Rotations({
    ...{ isAllowed, clock, limit: sessionLimit },
    lostGrace: () => durations().lostGrace,
  })
  const authority = new Authority(options.lease ?? noLease, () => durations().turnGrace, clock)
  const turns = new Turns({
    ...{ authority, clock, limit: sessionLimit },
    lostGrace: () => durations().lostGrace,
    turnGrace: () => durations().turnGrace,
    send: (uid, event) => sessions.of(uid)?.send({ name: 'turn', ...event }),
    dismiss: (uid) => sessions.dismiss(uid),
    onEnd(identity, end) {
      options.onTurn?.(end.outcome)
      const pod = { identity, owner: rotations.ownerOf(identity.uid) }
      for (const event of turnEvents(pod, end)) void options.tell?.(event)
    },
  })
  const sessions = new Sessions({
    ...{ watcher, rotations, turns, verify, clock, limit: sessionLimit },
    heartbeat: () => durations().heartbeat,
    caCertificates: () => options.caCertificates?.(),
    onEnd: (_identity, reason) => options.onEnd?.(reason),
  })
  const server = createSessionServer({
    ...{ tls, sessions, verify, limit: sessionLimit },
    notReady: () => options.notReady?.() ?? (authority.isElsewhere() ? authority.whyNot() : undefined),
    metrics: options.metrics ?? (async () => ({ contentType: 'text/plain', text: '' })),
    onRefused: (reason, error) => options.onRefused?.(reason, error),
  })
  const facts: RotationFacts = {
    ...{ rotations, clock, isNamed: options.isNamed },
    waitsFor: (uid) => turns.waitsFor(uid),
    seen: (object) => watcher.seen(object, durations().coverageAge),
    isCovered(uid, key) {
      const session = sessions.of(uid)
      return session !== undefined && watcher.isCovered(session, key)
    },
    *served() {
      for (const { listener, object } of watcher.served())
        if (listener instanceof Session) yield { identity: listener.identity, object }
    },
    startedAt: clock.elapsed(),
    startGrace: () => durations().startGrace,
  }
  const stop = new AbortController()
  const { tell } = options
  if (tell) void announce({ facts, tell, clock, durations }, stop.signal)
  return {
    ...{ server, sessions, watcher, rotations, turns },
    rotation: (vault, name) => answerRotation(vault, name, facts),
    pods: () => countPods(facts),
    async close() {
      stop.abort()
      sessions.close(goodbyeRetryMs)
      watcher.close()
      turns.close()
      const closed = new Promise((resolve) => server.close(resolve))
      // What was written is on its way; clients that do not close are not waited for.
      setTimeout(() => server.closeAllConnections(), 500).unref()
      await closed
    },
  }
}
