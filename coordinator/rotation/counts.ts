import { podStates, type PodRotationState } from '../../shared/coordination/rotation.ts'
import { judge, stateOrder } from './judge.ts'
import type { RotationFacts, Seen } from './answer.ts'
import { objectKey } from '../../shared/coordination/source.ts'
import type { KnownPod } from './rotations.ts'

/**
 * How many pods are in each state: a pod with several objects counts once, in the state that a person has to act on first. Of objects whose
 * newest version is not known, only failures count.
 */
export function countPods(
  facts: Pick<RotationFacts, 'rotations' | 'seen' | 'isCovered'>,
): Readonly<Record<PodRotationState, number>> {
  const worst = new Map<KnownPod, number>()
  for (const { object, pods } of facts.rotations.objects()) {
    const key = objectKey(object)
    const seen: Seen = facts.seen(object)
    for (const pod of pods) {
      const own = pod.objects.get(key)
      if (!own) continue
      const isCovered = facts.isCovered(pod.identity.uid, key)
      const { state } = judge({ pod, object: own, seen: 'object' in seen ? seen.object : undefined, isCovered })
      const counted = 'object' in seen || state === 'failing' || state === 'lost' ? state : 'current'
      worst.set(pod, Math.min(worst.get(pod) ?? Infinity, stateOrder.indexOf(counted)))
    }
  }
  const counts = Object.fromEntries(Object.keys(podStates).map((state) => [state, 0])) as Record<
    PodRotationState,
    number
  >
  for (const index of worst.values()) counts[stateOrder[index] ?? 'current']++
  return counts
}
