/** Injects a pod, and finds its sidecar. */
import { decide } from '../../support/decide.ts'
import { type Decision } from '../../../webhook/review/decision.ts'
import type { PlanInputs } from '../../../webhook/plan/inputs.ts'
import type { Container } from '../../../webhook/pod/pod.ts'
import { planInputs } from '../default-configuration.ts'

export type Injected = Extract<Decision, { kind: 'inject' }>

export function injected(pod: unknown, changes: Partial<PlanInputs> = {}): Injected {
  const decision = decide(pod, planInputs(changes))
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  return decision
}

export const sidecarOf = ({ pod }: Injected) =>
  pod.spec.initContainers?.find(({ name }) => name === 'akv-injector') as Container & Record<string, unknown>
export const app = (fields: object) => ({ containers: [{ name: 'app', image: 'a', ...fields }] })
