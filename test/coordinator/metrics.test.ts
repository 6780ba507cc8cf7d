import t from 'tap'
import { createMetrics } from '../../coordinator/metrics.ts'
import { turnOutcomes } from '../../coordinator/turns/member.ts'
import { podStates, type PodRotationState } from '../../shared/coordination/rotation.ts'

const noPods = Object.fromEntries(Object.keys(podStates).map((state) => [state, 0])) as Record<PodRotationState, number>

void t.test(
  'coordinator metrics: turns of each outcome are counted from 0 on, so that the first one shows',
  async (t) => {
    const metrics = createMetrics({
      ...{ sessions: () => 0, limit: 1, decides: () => true, pods: () => noPods },
      groups: () => ({ groups: 0, fresh: 0 }),
      turns: () => ({ waiting: 0, halted: 0 }),
    })
    const counted = async () => {
      const found = (await metrics.text()).text.matchAll(
        /^akv_injector_coordinator_turns_total\{outcome="(\w+)"\} (\d+)$/gm,
      )
      return Object.fromEntries(Array.from(found, ([, outcome = '', count]) => [outcome, Number(count)] as const))
    }
    const none = Object.fromEntries(turnOutcomes.map((outcome) => [outcome, 0]))
    t.strictSame(await counted(), none)
    metrics.turned('failed')
    t.strictSame(await counted(), { ...none, failed: 1 })
  },
)
