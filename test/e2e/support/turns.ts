import { namespaceOf, type Coordinated } from './coordinated-installation.ts'
import { readyPods } from './pods.ts'
import { askReplica } from './replica.ts'

/** How many turns the coordinator of an installation counted, by outcome; those that it had. */
export async function turnsByOutcome(installation: Coordinated): Promise<Record<string, number>> {
  const namespace = namespaceOf(installation)
  const [coordinator] = await readyPods(namespace, 'app.kubernetes.io/name=akv-injector-coordinator', 1)
  const text = await askReplica(namespace, coordinator?.metadata.name ?? '', '/metrics')
  const found = text.matchAll(/^akv_injector_coordinator_turns_total\{outcome="(\w+)"\} (\d+)$/gm)
  const counts = Array.from(found, ([, outcome = '', count]) => [outcome, Number(count)] as const)
  return Object.fromEntries(counts.filter(([, count]) => count > 0))
}
