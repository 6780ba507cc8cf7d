import { startTimer, type Clock } from '../../shared/clock.ts'
import { ApiError, type Api } from '../../shared/kubernetes/api.ts'

/** The durations of client-go's leader election, in milliseconds. {@link https://pkg.go.dev/k8s.io/client-go/tools/leaderelection} */
const durationMs = 15_000
const renewMs = 10_000
const retryMs = 2_000

/** A Lease as far as it is used. {@link https://kubernetes.io/docs/concepts/architecture/leases/} */
interface LeaseObject {
  metadata?: { resourceVersion?: string }
  spec?: { holderIdentity?: string; renewTime?: string; leaseTransitions?: number }
}

export interface LeaseOptions {
  api: Pick<Api, 'call'>
  namespace: string
  name: string
  /** Another for each process. */
  holder: string
  clock: Clock
  /** Called when the Lease was got, or another process has it, or it cannot be renewed. */
  onChange: (lease: Lease, error?: Error) => void
}

/**
 * The right to grant turns: one process has it at a time. A process that cannot renew it considers it lost before another one may
 * take it, by its own monotonic clock; it is acquired from another only after that one's has not changed for its whole duration.
 */
export class Lease {
  /** Who else has it; absent if that is not known, or this process has it. */
  other: string | undefined
  readonly #options: LeaseOptions
  readonly #stop = new AbortController()
  /** Until when it is held, on the monotonic clock. */
  #heldUntil = -Infinity
  /** When it was acquired. */
  #heldSince = -Infinity
  #seen = { text: '', at: 0 }
  #wasHeld = false

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** For how long this process has had it, in milliseconds; undefined if it does not. */
  get heldMs(): number | undefined {
    const now = this.#options.clock.elapsed()
    return now < this.#heldUntil ? now - this.#heldSince : undefined
  }

  /** Acquires and renews it until {@link close}. */
  async run(): Promise<void> {
    const { clock, onChange } = this.#options
    while (!this.#stop.signal.aborted) {
      const abort = new AbortController()
      const cancel = startTimer(clock, renewMs / 2, () => abort.abort())
      const error = await this.#attempt(abort.signal).catch((reason: Error) => reason)
      cancel()
      const isHeld = this.heldMs !== undefined
      if (isHeld !== this.#wasHeld) onChange(this, error)
      this.#wasHeld = isHeld
      await clock.wait(retryMs, this.#stop.signal)
    }
  }

  /** Gives it back, so that the next process need not wait. */
  async close(): Promise<void> {
    this.#stop.abort()
    const signal = AbortSignal.timeout(retryMs)
    const { api, holder } = this.#options
    this.#heldUntil = -Infinity
    const lease = (await api.call({ path: this.#path(), signal })) as LeaseObject
    if (lease.spec?.holderIdentity !== holder) return
    await api.call({
      method: 'PUT',
      path: this.#path(),
      body: { ...lease, spec: { ...lease.spec, holderIdentity: '' } },
      signal,
    })
  }

  #path = (): string => {
    const { namespace, name } = this.#options
    return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`
  }

  async #attempt(signal: AbortSignal): Promise<undefined> {
    const { api, holder, clock } = this.#options
    const lease = (await api.call({ path: this.#path(), signal }).catch(absent)) as LeaseObject | undefined
    const owner = lease?.spec?.holderIdentity ?? ''
    if (owner !== holder && owner !== '') {
      this.#heldUntil = -Infinity
      const text = JSON.stringify(lease)
      if (text !== this.#seen.text) this.#seen = { text, at: clock.elapsed() }
      this.other = owner
      if (clock.elapsed() - this.#seen.at < durationMs) return
    }
    // What a request takes counts, because it may be granted at its beginning.
    const began = clock.elapsed()
    const isNew = this.heldMs === undefined
    await this.#write(lease, owner, signal)
    this.other = undefined
    if (isNew) this.#heldSince = clock.elapsed()
    this.#heldUntil = began + renewMs
  }

  async #write(lease: LeaseObject | undefined, owner: string, signal: AbortSignal): Promise<void> {
    const { api, holder, clock, name, namespace } = this.#options
    // Kubernetes' MicroTime has six digits.
    const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z')
    const { leaseTransitions = 0 } = lease?.spec ?? {}
    const spec = {
      ...{ acquireTime: renewTime, ...lease?.spec, holderIdentity: holder, renewTime },
      ...{ leaseDurationSeconds: durationMs / 1_000 },
      ...(owner !== holder && { acquireTime: renewTime, leaseTransitions: leaseTransitions + 1 }),
    }
    const metadata = { ...lease?.metadata, name, namespace }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    const collection = this.#path().slice(0, -name.length - 1)
    // An update with a resourceVersion fails if another process was faster.
    if (lease) await api.call({ method: 'PUT', path: this.#path(), body, signal })
    else await api.call({ method: 'POST', path: collection, body, signal })
  }
}

function absent(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 404) return undefined
  throw error
}
