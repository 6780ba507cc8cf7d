/** An injected pod as a tenant exports it, to be edited and created again. */
import { decide } from '../support/decide.ts'
import type { PlanInputs } from '../../webhook/plan/inputs.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { inOrder, oursIn, withDefaults } from '../support/kubernetes-api-server.ts'
import { annotated } from '../webhook/review-app.ts'
import { planInputs } from '../webhook/default-configuration.ts'

/*
 * The attack: an injected pod is exported, edited and created again, so that it passes for one that has been reviewed. Whatever was
 * edited about our containers and volumes, the pod is denied, or they are as a new pod would get them.
 */
export type Item = Record<string, unknown> & { name?: string }

export type Spec = Record<string, Item[]> & { initContainers: Item[]; containers: Item[]; volumes: Item[] }

export function injected(pod: unknown, changes: Partial<PlanInputs> = {}): Pod {
  const decision = decide(pod, planInputs(changes))
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  return decision.pod
}

export const exportOf = (pod: Pod): { metadata: { annotations: Record<string, string> }; spec: Spec } =>
  structuredClone(withDefaults(pod)) as never
export const sidecarOf = ({ initContainers }: Spec): Item => initContainers.find(({ name }) => name === 'akv-injector')!

export const volumeOf = ({ volumes }: Spec, name: string): Item =>
  volumes.find((volume) => volume.name === `akv-injector-${name}`)!
export const listOf = (item: Item, field: string): Item[] => (item[field] ??= []) as Item[]

export const original = injected(
  annotated(
    {},
    {
      volumes: [
        { name: 'host', hostPath: { path: '/' } },
        { name: 'scratch', emptyDir: {} },
        { name: 'made-up', projected: { sources: [{ configMap: { name: 'x' } }] } },
      ],
    },
  ),
)
export const wanted = oursIn(inOrder(withDefaults(original)))
