import type { ObjectType } from '../objects/formats.ts'
import { VaultFailure, type Attributes, type ListOptions, type Vault } from '../vault/store.ts'

/**
 * The list of a group. Without one, a `refused` or `useless` list means that its objects are read one by one, and a `failed` one that
 * they keep what they have.
 */
export type GroupList =
  | { items: ReadonlyMap<string, Attributes>; pages: number }
  | { failure: VaultFailure; outcome: 'refused' | 'useless' | 'failed' }

/** After these failures, a list is of no use: the objects are read one by one. */
const misleading: ReadonlySet<string> = new Set(['malformed', 'bad-request', 'not-found'])
const endless: ReadonlySet<string> = new Set(['TooManyPages', 'NextLinkRefused'])

/** Lists the objects of a type; never throws. */
export async function listGroup(
  vault: Vault,
  type: ObjectType,
  abort: AbortSignal,
  options?: ListOptions,
): Promise<GroupList> {
  try {
    return await vault.list(type, abort, options)
  } catch (error) {
    const failure = vaultFailure(error)
    if (failure.kind === 'forbidden') return { failure, outcome: 'refused' }
    const isUseless = misleading.has(failure.kind) || endless.has(failure.code ?? '')
    return { failure, outcome: isUseless ? 'useless' : 'failed' }
  }
}

/** A failure that is not the vault's is a bug: it stops nothing, and its message may contain secrets. */
export const vaultFailure = (error: unknown): VaultFailure =>
  error instanceof VaultFailure
    ? error
    : new VaultFailure('malformed', `an unexpected ${(error as Error).name} while reading the vault`, { cause: error })
