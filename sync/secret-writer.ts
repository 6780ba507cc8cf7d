import type { Clock } from '../shared/clock.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import {
  syncAdoptAnnotation,
  syncClassAnnotation,
  syncedAtAnnotation,
  syncedLabel,
  syncRetainAnnotation,
} from './names.ts'
import type { Claimed } from './adoption.ts'
import { statusOf, type SyncCluster } from './cluster.ts'
import type { SecretRequest } from './secret-objects.ts'
import { claim, isUpToDate, type ClusterSecret, type WantedSecret } from './secret.ts'
import type { SyncClass, SyncOptions } from './sync-class.ts'

/** What an attempt to write a Secret did. */
export type WriteOutcome =
  | { kind: 'created' | 'updated' | 'adopted' | 'unchanged'; at: number | undefined }
  | { kind: 'conflict' | 'forbidden' | 'failed'; message: string }

/** The class whose Secrets are written. */
type Owner = Pick<SyncClass, 'namespace' | 'name' | 'uid'>

type Remembered = Omit<WantedSecret, 'data'> & { resourceVersion: string }

/** Writes the Secrets of one class, and remembers what they are without their values. */
export class SecretWriter {
  readonly #one: Owner
  readonly #options: SyncOptions
  readonly #cluster: SyncCluster
  readonly #clock: Pick<Clock, 'now'>
  readonly #written = new Map<string, Remembered>()

  constructor(one: Owner, options: SyncOptions, cluster: SyncCluster, clock: Pick<Clock, 'now'>) {
    this.#one = one
    this.#options = options
    this.#cluster = cluster
    this.#clock = clock
  }

  /**
   * Compares a Secret with what was written, before the vault is asked.
   * @returns `written` if it is as it was written; `stale` if it has to be written; or why it cannot be
   */
  async check(request: SecretRequest): Promise<Result<'written' | 'stale'>> {
    const { namespace } = this.#one
    const remembered = this.#written.get(request.name)
    if (remembered !== undefined) {
      const version = await this.#cluster.secretVersion(namespace, request.name)
      if (version === remembered.resourceVersion) return ok('written')
    }
    const existing = await this.#cluster.readSecret(namespace, request.name)
    const claimed = existing && claim(existing, this.#one, this.#options, request)
    if (typeof claimed === 'object') {
      this.#written.delete(request.name)
      return fail(claimed.conflict)
    }
    const isSame =
      existing && remembered && claimed === 'ours' && isUpToDate(existing, { ...remembered, data: new Map() })
    if (!isSame) return ok('stale')
    this.#written.set(request.name, { ...remembered, resourceVersion: existing.resourceVersion })
    return ok('written')
  }

  /** To be called for a Secret that has to be written and was not: the next {@link check} finds it stale. */
  forget(secret: string): void {
    this.#written.delete(secret)
  }

  /** Writes a Secret unless it is up to date. It is read first, and written only if it is still as it was read. */
  async write(request: SecretRequest, wanted: WantedSecret): Promise<WriteOutcome> {
    try {
      return await this.#write(request, wanted)
    } catch (error) {
      this.#written.delete(request.name)
      const message = withoutValues((error as Error).message, wanted)
      const status = statusOf(error)
      if (status === 409)
        return {
          kind: 'conflict',
          message: `it was changed meanwhile, or somebody else manages one of its fields; if that stays so, delete it: ${message}`,
        }
      return { kind: status === 403 ? 'forbidden' : 'failed', message }
    }
  }

  async #write(request: SecretRequest, wanted: WantedSecret): Promise<WriteOutcome> {
    const { namespace } = this.#one
    const existing = await this.#cluster.readSecret(namespace, request.name)
    const claimed = existing && claim(existing, this.#one, this.#options, request)
    if (typeof claimed === 'object') return { kind: 'conflict', message: claimed.conflict }
    if (existing && claimed === 'ours' && isUpToDate(existing, wanted)) {
      this.#remember(wanted, existing.resourceVersion)
      return { kind: 'unchanged', at: timeOf(existing) }
    }
    // `kubectl delete --cascade=orphan` takes the owner from the Secrets of a class that is being deleted. Written with it again, a Secret
    // would be deleted after the class. Asked after the Secret was read: if it has the owner and loses it now, its version changes, and the
    // write is refused. For a Secret that gets this owner only now, a deletion between this request and the next is not seen.
    if (!(await this.#cluster.hasClass(this.#one))) return { kind: 'unchanged', at: undefined }
    let version = existing?.resourceVersion
    // An earlier process may have ended in the middle of it.
    const isHalf =
      claimed === 'ours' &&
      existing?.annotations[syncAdoptAnnotation] !== undefined &&
      (await this.#cluster.isHalfAdopted(namespace, request.name))
    if (version !== undefined && (claimed === 'adoptable' || isHalf))
      version = await this.#cluster.adoptSecret(namespace, request.name, version, claimOf(wanted))
    const at = this.#clock.now()
    this.#remember(wanted, await this.#cluster.applySecret(namespace, wanted, version, at))
    return { kind: claimed === 'adoptable' ? 'adopted' : claimed === 'ours' ? 'updated' : 'created', at }
  }

  #remember({ data: _data, ...wanted }: WantedSecret, resourceVersion: string): void {
    this.#written.set(wanted.name, { ...wanted, resourceVersion })
  }
}

/** What the patch before the first apply changes; the versions follow with the values. */
const claimOf = ({ labels, annotations, owners }: WantedSecret): Claimed => ({
  labels: { [syncedLabel]: labels[syncedLabel] ?? '' },
  annotations: Object.fromEntries(claiming.flatMap((name) => (annotations[name] ? [[name, annotations[name]]] : []))),
  owners,
})

const claiming = [syncClassAnnotation, syncRetainAnnotation, syncAdoptAnnotation]

/** Values of fewer characters are found in any text. */
const shortestValue = 4

/** Returns a message of the API server, or of another webhook, without any value of the Secret that it may quote. */
export function withoutValues(message: string, { data }: Pick<WantedSecret, 'data'>): string {
  const forms = [...data.values()].flatMap((value) => {
    const bytes = Buffer.from(value)
    return [bytes.toString(), bytes.toString('base64'), JSON.stringify(bytes.toString()).slice(1, -1)]
  })
  // A value may be a part of a longer one.
  return forms
    .filter(({ length }) => length >= shortestValue)
    .sort((one, other) => other.length - one.length)
    .reduce((text, form) => text.replaceAll(form, '***'), message)
}

function timeOf({ annotations }: ClusterSecret): number | undefined {
  const at = Date.parse(annotations[syncedAtAnnotation] ?? '')
  return Number.isNaN(at) ? undefined : at
}
