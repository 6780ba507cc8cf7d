import { matches } from './glob.ts'
import type { Clock, Moment } from './store.ts'

/**
 * Which requests a fault hits; every field is a pattern where `*` stands for anything, absent means all.
 * `operation` is `secrets.get`, `keys.list`, `certificates.versions`, ..., `token`, `openid`, `instance`.
 */
export interface Match {
  operation?: string
  vault?: string
  object?: string
  /** Client id of the caller. */
  client?: string
  /** True: only requests that bear no token, whose answer would be the challenge; `any`: these too. By default those pass. */
  challenge?: boolean | 'any'
}

export type Fault =
  /** 429 `Throttled`, without `Retry-After` unless it is given: seconds, or a text such as an HTTP date. */
  | { kind: 'throttle'; retryAfter?: number | string }
  /** 403 with this inner code: `ForbiddenByRbac`, `AccessDenied`, `ForbiddenByFirewall`, `ForbiddenByConnection`, ... */
  | { kind: 'forbid'; inner: string; message?: string }
  /** Any status, with Key Vault's error body unless `body` says otherwise (a string is sent as it is). */
  | { kind: 'status'; status: number; body?: unknown; headers?: Record<string, string> }
  /** Takes the request and never answers. */
  | { kind: 'hang' }
  /** Sends the headers and half of the body, then nothing. */
  | { kind: 'stall' }
  /** Sends the headers and half of the body, then resets the connection. */
  | { kind: 'cut' }
  /** Resets the connection. */
  | { kind: 'reset' }
  /** 200 with an unexpected body. */
  | { kind: 'garbage'; body: 'html' | 'empty' | 'null' | 'null-list' | 'truncated' }
  /** Waits, then goes on (to the next fault that matches, or to the answer). */
  | { kind: 'delay'; ms: number }
  /** Waits until the fault is switched off, then goes on likewise. */
  | { kind: 'hold' }
  /** 401 although the token is good, as after a revocation. */
  | { kind: 'unauthorized' }
  /** The challenge names another tenant. */
  | { kind: 'wrong-tenant'; tenant: string }
  /** LIST shows the metadata as of `ms` ago, or, without `ms`, as of when the fault was set. */
  | { kind: 'list-lag'; ms?: number }
  | { kind: 'redirect'; location: string; status?: number }
  /** A LIST's `nextLink` becomes this; `self` stands for the request's own URL. */
  | { kind: 'next-link'; to: string }
  /** A LIST answers with an empty page whose `nextLink` leads to the true one. Give it `times`. */
  | { kind: 'empty-page' }
  /** The token endpoint refuses with this code, such as 70021. */
  | { kind: 'aadsts'; code: number; message?: string }

const kinds: Record<Fault['kind'], true> = {
  ...{ throttle: true, forbid: true, status: true, hang: true, stall: true, cut: true, reset: true, garbage: true },
  ...{ delay: true, unauthorized: true, 'wrong-tenant': true, 'list-lag': true, redirect: true, 'next-link': true },
  ...{ 'empty-page': true, aadsts: true, hold: true },
}

/** Whether something that came over the wire is a fault of a known kind. */
export const isFault = (value: unknown): value is Fault =>
  Object.hasOwn(kinds, (value as Fault | undefined)?.kind ?? '')

export interface FaultRule {
  match?: Match
  fault: Fault
  /** How many requests it hits; until cleared if absent. */
  times?: number
  /** Lets this many requests pass in any window of so many milliseconds, and hits those beyond: the service's own limit. */
  above?: { requests: number; window: number }
}

/** What a fault is matched against. */
export interface Subject {
  operation: string
  vault?: string | undefined
  object?: string | undefined
  client?: string | undefined
  challenge?: boolean
}

type Active = FaultRule & { id: number; left: number; change: number; passed: number[] } & Switch

/** Resolves `off` when a fault is switched off. */
interface Switch {
  off: Promise<void>
  turnOff: () => void
}

/** The faults that are switched on, oldest first. */
export class Faults {
  #active: Active[] = []
  #next = 1
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Switches a fault on; what it returns switches it off. */
  add(rule: FaultRule): { id: number; remove: () => void } {
    const id = this.#next++
    const { promise: off, resolve: turnOff } = Promise.withResolvers<void>()
    const state = { left: rule.times ?? Infinity, change: this.#clock.changes, passed: [] }
    this.#active.push({ ...rule, id, ...state, off, turnOff })
    return { id, remove: () => this.clear(id) }
  }

  /** Switches one fault off, or all. */
  clear(id?: number): void {
    const isMeant = (one: Active): boolean => id === undefined || one.id === id
    for (const one of this.#active.filter(isMeant)) one.turnOff()
    this.#active = this.#active.filter((one) => !isMeant(one))
  }

  /** What is switched on, and how many requests each will still hit. */
  list(): (FaultRule & { id: number })[] {
    return this.#active.map(({ id, match, fault, above, left }) => ({
      id,
      ...(match && { match }),
      fault,
      ...(above && { above }),
      ...(left !== Infinity && { times: left }),
    }))
  }

  /** The faults that hit this request, in order: those that wait, and after them at most one of another kind. Uses them up. */
  take(subject: Subject): TakenFault[] {
    const taken: TakenFault[] = []
    for (const one of this.#active) {
      if (one.left <= 0 || !hits(one, subject) || passes(one, this.#clock.now())) continue
      one.left--
      taken.push({ fault: one.fault, change: one.change, off: one.off })
      if (one.fault.kind !== 'delay' && one.fault.kind !== 'hold') break
    }
    // One that holds requests has to stay, so that it can be switched off.
    this.#active = this.#active.filter((one) => one.left > 0 || one.fault.kind === 'hold')
    return taken
  }
}

export interface TakenFault {
  fault: Fault
  /** The count of changes when it was set. */
  change: number
  /** Resolves when it is switched off. */
  off: Promise<void>
}

function hits({ match = {}, fault }: Active, subject: Subject): boolean {
  const challenge = match.challenge ?? fault.kind === 'wrong-tenant'
  return (
    (challenge === 'any' || challenge === (subject.challenge ?? false)) &&
    matches(match.operation, subject.operation) &&
    matches(match.vault, subject.vault) &&
    matches(match.object, subject.object) &&
    matches(match.client, subject.client)
  )
}

/** Whether the request is still below the limit of `above`, where there is one. */
function passes({ above, passed }: Active, now: number): boolean {
  if (!above) return false
  while (passed[0] !== undefined && passed[0] <= now - above.window) passed.shift()
  if (passed.length >= above.requests) return false
  passed.push(now)
  return true
}

/** The moment that a lagging LIST shows. */
export function lagOf({ fault, change }: TakenFault, now: number): Moment | undefined {
  if (fault.kind !== 'list-lag') return undefined
  return fault.ms === undefined ? { change } : { at: now - fault.ms }
}
