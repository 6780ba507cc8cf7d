import { Rotations, type RotationsOptions } from '../../../coordinator/rotation/rotations.ts'
import type { PodIdentity } from '../../../coordinator/tokens.ts'
import type { ObjectState, PodState } from '../../../shared/coordination/pod-state.ts'
import { VirtualClock } from '../../support/clock.ts'

export const vault = 'https://my-kv.vault.azure.net'

/** A pod as its token names it. */
export const identityOf = (pod: string, namespace = 'shop'): PodIdentity => ({
  ...{ namespace, pod, uid: `uid-of-${namespace}-${pod}`, serviceAccount: 'web', group: 'deployment/web' },
  expires: Infinity,
})

/** An object as a pod has applied it. */
export const objectState = (name: string, overrides: Partial<ObjectState> = {}): ObjectState => ({
  ...{ vault, type: 'secret', name, version: 'v1', readAt: 1, isPinned: false, notified: 'yes' },
  ...overrides,
})

/** The state of a pod that serves. */
export const podState = (objects: ObjectState[], overrides: Partial<PodState> = {}): PodState => ({
  ...{ isServing: true, isSuspended: false, objects },
  ...overrides,
})

/** What is known of rotations, in virtual time. */
export function rotationsWith(overrides: Partial<RotationsOptions> = {}) {
  const clock = new VirtualClock()
  const options = { limit: 10, isAllowed: () => true, lostGrace: () => 600_000, clock }
  return { clock, rotations: new Rotations({ ...options, ...overrides }) }
}
