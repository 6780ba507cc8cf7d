import type { PlanInputs } from '../../webhook/plan/inputs.ts'
import { readPod } from '../../webhook/pod/pod.ts'
import { decide as decideRead } from '../../webhook/review/decide.ts'
import type { Decision } from '../../webhook/review/decision.ts'

/** Decides about a pod as the API server sends it. */
export const decide = (pod: unknown, inputs: PlanInputs): Decision => decideRead(readPod(pod), inputs)
