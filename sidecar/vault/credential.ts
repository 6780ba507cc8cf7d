import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth'
import { annotationPrefix } from '../../shared/names.ts'
import { isAdfs } from '../../shared/tenant.ts'
import type { Exchange } from './exchange.ts'
import { VaultFailure, type FailureKind } from './vault.ts'

/** A sign-in as logs and metrics tell it. */
export interface SignIn {
  /** The client id, and that it is the node's where it is. */
  identity: string
  /** Absent where the node's identity is not known to be of one. */
  tenant?: string
  outcome: 'success' | FailureKind
  /** Of a failure: `AADSTS70021`, `ENOTFOUND`. */
  code?: string
  message?: string
  durationMs: number
  /** Whether a token that is still good hides a failure for now. */
  ahead: boolean
}

/** How often a refused token may still be replaced by signing in again. */
export interface Budget {
  left: number
}

/** What the clients of the Key Vault SDK sign in with. */
export interface Credential extends TokenCredential {
  /**
   * A token in place of one that a vault refused although it has not expired: the one that replaced it meanwhile, else a new
   * one if the budget allows. Undefined: there is none. The refused token stays until a new one is there.
   */
  replace(refused: string, budget: Budget): Promise<string | undefined>
}

export interface CredentialOptions {
  exchange: Exchange
  /** How {@link SignIn}s call who signs in. */
  identity: string
  tenantId: string | undefined
  now: () => number
  /** For durations: a clock that never goes back. */
  elapsed?: (() => number) | undefined
  /** From 0 to 1. */
  random: () => number
  onSignIn: (signIn: SignIn) => void
  /** For one exchange, body included, in milliseconds. */
  timeout?: number | undefined
}

const second = 1000
const minute = 60 * second

/** A federated credential takes "a couple of minutes" to reach every server of Entra ID; until then they deny that it exists. */
const spreadTime = minute
const spreading = /^AADSTS(70021\d{0,2}|700016|7000229)$/

/** The tokens of one scope. The SDK asks for one scope only: its vault's resource. */
interface State {
  token?: { text: string; obtained: number; refresh: number; expires: number }
  /** What `token` took the place of. */
  replaced?: string
  running?: Promise<string>
  failures: number
  /** After a failure: how long from `failed` on nothing is tried. */
  wait: number
  failed: number
  last?: VaultFailure
}

/**
 * A credential that looks after its token itself, since the SDK's own refresh ends the process when the sign-in service is
 * down past expiry: it reports `expiresOnTimestamp: 0`, so that every request asks here. Tokens are cached by scope and renewed
 * from half of their life on, in the background of a request; exchanges are single-flight; after a failure the next one waits
 * (full jitter up to a minute, or `Retry-After` up to 15 minutes). Has no timers of its own.
 */
export function cachingCredential(options: CredentialOptions): Credential {
  const {
    exchange,
    identity,
    tenantId,
    now,
    elapsed = () => performance.now(),
    random,
    onSignIn,
    timeout = 10 * second,
  } = options
  const states = new Map<string, State>()
  const born = now()
  let everSucceeded = false

  const stateOf = (scope: string): State => {
    const state = states.get(scope) ?? { failures: 0, wait: 0, failed: 0 }
    states.set(scope, state)
    return state
  }

  const waiting = (state: State): number => {
    const elapsed = now() - state.failed
    // A clock that was set back must not stretch the wait.
    return elapsed < 0 ? 0 : Math.max(0, state.wait - elapsed)
  }

  async function signIn(scope: string, state: State, ahead: boolean): Promise<string> {
    const started = elapsed()
    const tell = (outcome: SignIn['outcome'], failure?: VaultFailure) => {
      const { code, message } = failure ?? {}
      const durationMs = elapsed() - started
      const tenant = tenantId !== undefined && { tenant: tenantId }
      const details = { ...(code !== undefined && { code }), ...(message !== undefined && { message }) }
      onSignIn({ identity, ...tenant, outcome, ...details, durationMs, ahead })
    }
    try {
      const { token, lifetime, refreshIn } = await exchange(scope, AbortSignal.timeout(timeout))
      const obtained = now()
      const refresh = refreshIn ?? lifetime * (0.5 + 0.2 * random())
      if (state.token) state.replaced = state.token.text
      const margin = Math.min(minute, lifetime / 10)
      state.token = { text: token, obtained, refresh: obtained + refresh, expires: obtained + lifetime - margin }
      state.failures = state.wait = 0
      everSucceeded = true
      tell('success')
      return token
    } catch (error) {
      const failure = patient(error as VaultFailure)
      state.failures++
      state.failed = now()
      const backoff = random() * Math.min(minute, second * 2 ** (state.failures - 1))
      state.wait = Math.round(Math.min(failure.retryAfter ?? backoff, 15 * minute))
      state.last = failure
      tell(failure.status === 429 ? 'throttled' : failure.kind, failure)
      throw failure
    }
  }

  /** At the start, a credential that is not known (yet) may just not have spread. */
  function patient(failure: VaultFailure): VaultFailure {
    if (everSucceeded || now() - born > spreadTime || !spreading.test(failure.code ?? '')) return failure
    return failure.restated(failure.message, { kind: 'sign-in-unavailable', outlook: 'doubtful' })
  }

  function renew(scope: string, state: State, ahead: boolean): Promise<string> {
    state.running ??= signIn(scope, state, ahead).finally(() => delete state.running)
    return state.running
  }

  function tokenOf(scope: string): Promise<string> {
    const state = stateOf(scope)
    const { token } = state
    const time = now()
    if (token && time >= token.obtained && time < token.expires) {
      // Whoever needs the next token sees its failure; this one was told to onSignIn.
      if (time >= token.refresh && waiting(state) === 0) renew(scope, state, true).catch(() => {})
      return Promise.resolve(token.text)
    }
    return postponed(state) ?? renew(scope, state, false)
  }

  function postponed(state: State): Promise<string> | undefined {
    const rest = waiting(state)
    if (rest === 0 || state.running || !state.last) return undefined
    const { last } = state
    const again = `signing in is tried again in ${Math.ceil(rest / second)} s`
    return Promise.reject(last.restated(`${last.message} (${again})`, { retryAfter: rest }))
  }

  return {
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

/** The vault's challenge names its tenant; a tenant given by domain name cannot be compared and is left to the vault. */
function checkTenant(wanted: string | undefined, own: string | undefined): void {
  if (wanted === undefined || own === undefined || wanted.toLowerCase() === own.toLowerCase()) return
  if (!isComparable(wanted) || !isComparable(own)) return
  throw new VaultFailure(
    'sign-in',
    `it belongs to tenant ${wanted}, but the pod signs in at tenant ${own}; if the former is right, set the pod's annotation ${annotationPrefix}tenant-id (in a SecretProviderClass: tenantID) to it`,
    { code: 'TenantMismatch' },
  )
}
