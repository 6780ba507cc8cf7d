import { realClock } from '../../../../shared/clock.ts'
import { createCachingCredential, type SignIn } from '../../../../shared/vault/sign-in/credential.ts'
import type { Grant } from '../../../../shared/vault/sign-in/token-exchange.ts'
import { VaultFailure } from '../../../../shared/vault/store.ts'

export const scope = 'https://vault.azure.net/.default'
export const tenantId = '7e57e57e-0000-4000-8000-000000000001'
export const hour = 3600_000
export const minute = 60_000

/** A credential over an exchange that the test answers: at once by `answer`, or by hand where that is undefined. */
export function stand({
  random = 0.5,
  answer,
  ...rest
}: { random?: number; answer?: (count: number) => Grant | VaultFailure; tenant?: string | undefined } = {}) {
  const clock = { now: 1_000_000 }
  const signIns: SignIn[] = []
  const open: PromiseWithResolvers<Grant>[] = []
  let count = 0
  const credential = createCachingCredential({
    async exchange() {
      const outcome = answer?.(++count)
      if (outcome instanceof VaultFailure) throw outcome
      if (outcome) return outcome
      const pending = Promise.withResolvers<Grant>()
      open.push(pending)
      return pending.promise
    },
    identity: 'c1',
    tenantId: 'tenant' in rest ? rest.tenant : tenantId,
    clock: { ...realClock, now: () => clock.now },
    random: () => random,
    onSignIn: (signIn) => void signIns.push(signIn),
  })
  const token = async () => (await credential.getToken(scope))!.token
  return { clock, signIns, open, credential, token, exchanges: () => count }
}

export const grant = (count: number): Grant => ({ token: `token-${count}`, lifetimeMs: hour })
export const down = (details: ConstructorParameters<typeof VaultFailure>[2] = {}) =>
  new VaultFailure('sign-in-unavailable', 'down', details)
