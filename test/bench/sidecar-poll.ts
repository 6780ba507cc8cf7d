import { allocatorVariables } from '../../webhook/inject/sidecar-container.ts'
import type { Bench } from './bench.ts'
import { bareMemory, cpuTime, memory } from './proc.ts'
import { podWithSecrets, polls, runSidecar, vault, type SidecarRun } from './sidecar-run.ts'
import type { BenchContext } from './bench-context.ts'
import { until } from '../support/until.ts'

const runs = 5
const objects = 25
const quietPolls = 100
/** In milliseconds; long enough for a poll to end before the next. */
const interval = 50

/** The cost of a sidecar with 25 secrets of one vault after a hundred polls that found nothing new. */
export const sidecarPoll: Bench = {
  ids: ['sidecar-memory', 'sidecar-rss', 'sidecar-poll-cpu', 'poll-requests'],
  async run(context) {
    const pod = await podWithSecrets(context, objects, `${interval}ms`)
    const figures: Awaited<ReturnType<typeof quietly>>[] = []
    const floor: ReturnType<typeof memory>[] = []
    for (let run = 0; run < runs; run++) {
      const sidecar = await runSidecar(context, pod)
      figures.push(await quietly(context, sidecar))
      await sidecar.process.stop(1000)
      floor.push(await bareMemory(context.supervisor, sidecar.node, allocatorVariables))
    }
    const of = (field: keyof (typeof figures)[number]) => figures.map((figure) => figure[field])
    return [
      {
        id: 'sidecar-memory',
        unit: 'MB',
        samples: of('anonymous'),
        floor: floor.map(({ anonymous }) => anonymous),
        target: { atMost: 20.5, ratioAtMost: 2.3 },
      },
      { id: 'sidecar-rss', unit: 'MB', samples: of('resident'), floor: floor.map(({ resident }) => resident) },
      { id: 'sidecar-poll-cpu', unit: 'ms', samples: of('cpu'), target: { atMost: 4 } },
      { id: 'poll-requests', unit: 'requests', samples: of('requests'), floor: [objects], target: { atMost: 1 } },
    ]
  },
}

/** Figures of a hundred polls, without those of the start. */
export async function quietly({ cloud }: BenchContext, sidecar: SidecarRun) {
  const { pid } = sidecar.process
  const observe = async (atLeast: number) => {
    // Right after the end of a poll nothing is in progress.
    const before = await polls(sidecar)
    const count = await until('the next poll', async () => {
      const now = await polls(sidecar)
      return now > Math.max(before, atLeast) ? now : undefined
    })
    return { count, requests: cloud.emulator.journal.count('*', vault), cpu: cpuTime(pid) }
  }
  const from = await observe(5)
  // The vault sees the polls, too. Asking the sidecar a hundred times a second would leave it with garbage that no monitoring causes.
  const polled = () => cloud.emulator.journal.count('*', vault) - from.requests >= quietPolls
  await until(`${quietPolls} polls`, polled, { timeoutMs: 60_000 })
  const used = memory(pid)
  const to = await observe(from.count + 1)
  const perPoll = (field: 'requests' | 'cpu') => (to[field] - from[field]) / (to.count - from.count)
  return { ...used, requests: perPoll('requests'), cpu: perPoll('cpu') }
}
