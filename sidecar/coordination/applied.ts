import type { ObjectState, PodState } from '../../shared/coordination/pod-state.ts'
import { objectKey } from '../../shared/coordination/source.ts'
import type { CoordinationHost } from '../poll/coordination.ts'
import { appliedState } from './applied-state.ts'

type Objects = ReadonlyMap<string, ObjectState>

/**
 * What a sidecar has applied, at rest: a poll reads a version before it switches the files and notifies the app, and until it has
 * ended, what was applied before it holds for its vault.
 */
export class Applied {
  readonly #host: Pick<CoordinationHost, 'applied'>
  /** Of vaults that are being polled, by their URLs. */
  readonly #before = new Map<string, Objects>()

  constructor(host: Pick<CoordinationHost, 'applied'>) {
    this.#host = host
  }

  /** @returns to be called when the poll has ended */
  pollBegan(vault: string): () => void {
    const url = vault.toLowerCase().replace(/\/$/, '')
    const own = this.#now().objects.filter((object) => object.vault === url)
    this.#before.set(url, new Map(own.map((object) => [objectKey(object), object])))
    return () => void this.#before.delete(url)
  }

  state(): PodState {
    const { objects, ...pod } = this.#now()
    const atRest = objects.flatMap((object) => {
      const before = this.#before.get(object.vault)
      return before ? (before.get(objectKey(object)) ?? []) : object
    })
    return { ...pod, objects: atRest }
  }

  #now = (): PodState => appliedState(this.#host.applied())
}
