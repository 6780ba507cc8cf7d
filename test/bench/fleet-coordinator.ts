import { createCoordinator, type Coordinator } from '../../coordinator/coordinator.ts'
import type { PodIdentity } from '../../coordinator/tokens.ts'
import { createCoordination } from '../../sidecar/coordination/coordinate.ts'
import type { Coordinate } from '../../sidecar/poll/coordination.ts'
import type { Connect } from '../../shared/coordination/connection.ts'
import { createLogger } from '../../shared/log.ts'
import { ok } from '../../shared/result.ts'
import type { FleetClock } from './fleet-clock.ts'
import { FleetNetwork } from './fleet-network.ts'
import type { FleetVault } from './fleet-vault.ts'

const second = 1_000
const minute = 60 * second

/** The defaults of the configuration, but for the interval. */
const durations = {
  ...{ heartbeat: 20 * second, coverageAge: 60 * second, startGrace: 3 * minute, lostGrace: 10 * minute },
  ...{ refusedAfter: 10 * minute, turnGrace: 2 * minute },
}
const hintRate = 300
export const access = {
  ...{ url: 'https://coordinator.example', coverageAge: durations.coverageAge, reconnect: 30 * second },
}

/** For how long a token is valid, and how old it is when the kubelet replaces it, in milliseconds. */
const tokenLife = 60 * minute
const tokenAge = 0.8 * tokenLife

/** The real coordinator in virtual time, apart from its process: no socket, no cluster, and tokens that are not signed. */
export class FleetCoordinator {
  readonly #clock: FleetClock
  readonly #vault: FleetVault
  readonly #watchInterval: number
  readonly #network: FleetNetwork
  #coordinator: Coordinator | undefined
  /** When a hint came first, on the monotonic clock; to be cleared before a rotation. */
  hintedAt: number | undefined

  constructor({ clock, vault, watchInterval }: { clock: FleetClock; vault: FleetVault; watchInterval: number }) {
    this.#clock = clock
    this.#vault = vault
    this.#watchInterval = watchInterval
    this.#network = new FleetNetwork(clock)
  }

  get sessions(): number {
    return this.#coordinator?.sessions.size ?? 0
  }

  start(): void {
    const vault = this.#vault.forCoordinator()
    this.#coordinator = createCoordinator({
      ...{ tls: {}, clock: this.#clock, sessionLimit: 20_000 },
      readKeys: () => Promise.reject(new Error('tokens are not signed')),
      verify: async (token) => ok(JSON.parse(Buffer.from(token, 'base64url').toString()) as PodIdentity),
      ...{ vault: () => vault, isAllowed: () => true, isNamed: () => true },
      durations: () => ({ ...durations, watchInterval: this.#watchInterval }),
      hintRate: () => hintRate,
    })
    this.#network.attach(this.#coordinator.server)
  }

  /** Ends the process without a goodbye. */
  kill(): void {
    this.#network.kill()
    this.#end()
  }

  /** Ends its machine, so that nothing closes the connections. */
  silence(): void {
    this.#network.silence()
    this.#end()
  }

  /** What the pod with this number has of sessions. */
  coordinate(pod: number, random: () => number): Coordinate {
    return createCoordination({
      ...{ access, clock: this.#clock, random, connect: this.#connect },
      readToken: async () => this.#token(pod),
      log: createLogger('error', { write: () => undefined }),
    })
  }

  #connect: Connect = ({ onEvent, ...options }) =>
    this.#network.connect({
      ...options,
      onEvent: (event) => {
        if (event.name === 'change') this.hintedAt ??= this.#clock.elapsed()
        onEvent(event)
      },
    })

  #end(): void {
    void this.#coordinator?.close()
    this.#coordinator = undefined
  }

  /** The token that the kubelet has written last; those of the pods are of different ages. */
  #token(pod: number): string {
    const offset = (pod * second) % tokenAge
    const now = this.#clock.now() + offset
    const identity: PodIdentity = {
      ...{ namespace: 'shop', serviceAccount: 'web', pod: `web-${pod}`, uid: `uid-${pod}`, group: 'deployment/web' },
      expires: now - (now % tokenAge) + tokenLife - offset,
    }
    return Buffer.from(JSON.stringify(identity)).toString('base64url')
  }
}
