import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth'
import type { Clock, Random } from '../../clock.ts'
import { annotationPrefix } from '../../names.ts'
import { isAdfs } from '../../clouds/tenant.ts'
import type { Exchange } from './token-exchange.ts'
import { VaultFailure, type FailureKind } from '../store.ts'

/** A sign-in, for logs and metrics. */
export interface SignIn {
  /** The client ID; a node's identity is marked as such. */
  identity: string
  /** Absent if the tenant of a node's identity is unknown. */
  tenant?: string
  outcome: 'success' | FailureKind
  /** Of a failure: `AADSTS70021`, `ENOTFOUND`. */
  code?: string
  message?: string
  durationMs: number
  /** True if a current token is still valid, so that a failure has no effect yet. */
  ahead: boolean
}

/** How often a refused token may still be replaced by signing in again. */
export interface Budget {
  left: number
}

/** The credential of the Key Vault SDK's clients. */
export interface Credential extends TokenCredential {
  /**
   * Signs in before `getToken` is called, which then gets the token or the failure. Does nothing after the first sign-in of a scope.
   */
  begin(scope: string): void
  /**
   * A token in place of one that a vault refused although it has not expired: the one that replaced it meanwhile, else a new
   * one if the budget allows. Undefined: there is none. The refused token stays until a new one is there.
   */
  replace(refused: string, budget: Budget): Promise<string | undefined>
}

export interface CredentialOptions {
  exchange: Exchange
  /** The identity's name in {@link SignIn}s. */
  identity: string
  tenantId: string | undefined
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: Random
  onSignIn: (signIn: SignIn) => void
  /** For one exchange, body included, in milliseconds. */
  timeoutMs?: number | undefined
}

const secondMs = 1000
const minuteMs = 60 * secondMs

/** A new federated credential takes "a couple of minutes" to reach every server of Entra ID; until then, servers may deny that it exists. */
const propagationMs = minuteMs
const propagatingCode = /^AADSTS(70021\d{0,2}|700016|7000229)$/

/** The tokens of one scope. The SDK asks for one scope only: its vault's resource. */
interface State {
  token?: { text: string; obtained: number; refresh: number; expires: number }
  /** What `token` took the place of. */
  replaced?: string
  running?: Promise<string>
  /** The first sign-in, if `begin` began it, until its result was given out. */
  begun?: Promise<string>
  failures: number
  /** After a failure: how long from `failed` on nothing is tried. */
  wait: number
  failed: number
  last?: VaultFailure
}

/**
 * Creates a credential that caches and renews its tokens itself, because the SDK's own refresh ends the process if the sign-in
 * service is down past the expiry: it reports `expiresOnTimestamp: 0`, so that every request calls it. Tokens are cached by
 * scope and renewed from half of their lifetime on, in the background of a request; exchanges are single-flight; after a
 * failure the next one waits (full jitter up to a minute, or `Retry-After` up to 15 minutes). It has no timers.
 */
export function createCachingCredential(options: CredentialOptions): Credential {
  const { exchange, identity, tenantId, clock, random, onSignIn, timeoutMs = 10 * secondMs } = options
  const states = new Map<string, State>()
  const born = clock.now()
  let everSucceeded = false

  const stateOf = (scope: string): State => {
    const state = states.get(scope) ?? { failures: 0, wait: 0, failed: 0 }
    states.set(scope, state)
    return state
  }

  const waiting = (state: State): number => {
    const elapsed = clock.now() - state.failed
    // A clock that was set back must not stretch the wait.
    return elapsed < 0 ? 0 : Math.max(0, state.wait - elapsed)
  }

  async function signIn(scope: string, state: State, ahead: boolean): Promise<string> {
    const started = clock.elapsed()
    const report = (outcome: SignIn['outcome'], failure?: VaultFailure) => {
      const { code, message } = failure ?? {}
      const durationMs = clock.elapsed() - started
      const tenant = tenantId !== undefined && { tenant: tenantId }
      const details = { ...(code !== undefined && { code }), ...(message !== undefined && { message }) }
      onSignIn({ identity, ...tenant, outcome, ...details, durationMs, ahead })
    }
    try {
      const { token, lifetimeMs, refreshInMs } = await exchange(scope, AbortSignal.timeout(timeoutMs))
      const obtained = clock.now()
      const refresh = refreshInMs ?? lifetimeMs * (0.5 + 0.2 * random())
      if (state.token) state.replaced = state.token.text
      const margin = Math.min(minuteMs, lifetimeMs / 10)
      state.token = { text: token, obtained, refresh: obtained + refresh, expires: obtained + lifetimeMs - margin }
      state.failures = state.wait = 0
      everSucceeded = true
      report('success')
      return token
    } catch (error) {
      const failure = patient(error as VaultFailure)
      state.failures++
      state.failed = clock.now()
      const backoff = random() * Math.min(minuteMs, secondMs * 2 ** (state.failures - 1))
      state.wait = Math.round(Math.min(failure.retryAfter ?? backoff, 15 * minuteMs))
      state.last = failure
      report(failure.status === 429 ? 'throttled' : failure.kind, failure)
      throw failure
    }
  }

  /** At the start, a credential that is unknown may only not have propagated yet. */
  function patient(failure: VaultFailure): VaultFailure {
    if (everSucceeded || clock.now() - born > propagationMs || !propagatingCode.test(failure.code ?? '')) return failure
    return failure.restated(failure.message, { kind: 'sign-in-unavailable', outlook: 'doubtful' })
  }

  function renew(scope: string, state: State, ahead: boolean): Promise<string> {
    state.running ??= signIn(scope, state, ahead).finally(() => delete state.running)
    return state.running
  }

  function tokenOf(scope: string): Promise<string> {
    const state = stateOf(scope)
    const { token, begun } = state
    delete state.begun
    const time = clock.now()
    if (token && time >= token.obtained && time < token.expires) {
      // The failure matters only once a new token is needed; onSignIn has reported it.
      if (time >= token.refresh && waiting(state) === 0) renew(scope, state, true).catch(() => {})
      return Promise.resolve(token.text)
    }
    return begun ?? postponed(state) ?? renew(scope, state, false)
  }

  function postponed(state: State): Promise<string> | undefined {
    const rest = waiting(state)
    if (rest === 0 || state.running || !state.last) return undefined
    const { last } = state
    const again = `next sign-in in ${Math.ceil(rest / secondMs)} s`
    return Promise.reject(last.restated(`${last.message} (${again})`, { retryAfter: rest }))
  }

  return {
    begin(scope) {
      const state = stateOf(scope)
      if (state.running) return
      delete state.begun
      if (state.token || state.failures > 0) return
      state.begun = renew(scope, state, false)
      // The next call of getToken gets the failure.
      state.begun.catch(() => {})
    },
    async getToken(scopes: string | string[], { tenantId: wanted }: GetTokenOptions = {}): Promise<AccessToken> {
      checkTenant(wanted, tenantId)
      return { token: await tokenOf([scopes].flat().join(' ')), expiresOnTimestamp: 0 }
    },
    async replace(refused, budget) {
      for (const [scope, state] of states) {
        if (state.token?.text === refused) {
          if (!state.running) {
            if (budget.left <= 0) return undefined
            budget.left--
          }
          return postponed(state) ?? renew(scope, state, false)
        }
        if (state.replaced === refused) return state.token?.text
      }
      return undefined
    },
  }
}

/** An id, or AD FS: what is not equal is not the same. A tenant's domain may stand for any id. */
const isComparable = (tenant: string) => isAdfs(tenant) || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenant)

/** Checks the tenant in the vault's challenge; a tenant given as a domain name cannot be compared and is left to the vault. */
function checkTenant(wanted: string | undefined, own: string | undefined): void {
  if (wanted === undefined || own === undefined || wanted.toLowerCase() === own.toLowerCase()) return
  if (!isComparable(wanted) || !isComparable(own)) return
  throw new VaultFailure(
    'sign-in',
    `the vault belongs to tenant ${wanted}, but the pod signs in at tenant ${own}; if the former is right, set the annotation ${annotationPrefix}tenant-id (in a SecretProviderClass: tenantID) to it`,
    { code: 'TenantMismatch' },
  )
}
