import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../demo/steps.ts'
import type { Bench } from './bench.ts'
import { bareMemory, cpuTime, memory } from './proc.ts'
import { podWithSecrets, polls, runSidecar, vault, type SidecarRun } from './sidecar-run.ts'
import type { Workshop } from './workshop.ts'

const runs = 5
const objects = 25
const quietPolls = 100
/** Long enough for a poll to be over before the next. */
const interval = 50

/** What a sidecar costs that has found nothing new a hundred times, with 25 secrets of one vault. */
export const sidecarPoll: Bench = {
  ids: ['sidecar-memory', 'sidecar-rss', 'sidecar-poll-cpu', 'poll-requests'],
  async run(workshop) {
    const pod = await podWithSecrets(workshop, objects, `${interval}ms`)
    const figures: Awaited<ReturnType<typeof quietly>>[] = []
    const floor: ReturnType<typeof memory>[] = []
    for (let run = 0; run < runs; run++) {
      const sidecar = await runSidecar(workshop, pod)
      figures.push(await quietly(workshop, sidecar))
      await sidecar.process.stop(1000)
      floor.push(await bareMemory(workshop.supervisor, sidecar.node))
    }
    const of = (field: keyof (typeof figures)[number]) => figures.map((figure) => figure[field])
    return [
      { id: 'sidecar-memory', unit: 'MB', samples: of('anonymous'), floor: floor.map(({ anonymous }) => anonymous), target: { atMost: 20.5, ratioAtMost: 2.3 } }, // prettier-ignore
      { id: 'sidecar-rss', unit: 'MB', samples: of('resident'), floor: floor.map(({ resident }) => resident) },
      { id: 'sidecar-poll-cpu', unit: 'ms', samples: of('cpu'), target: { atMost: 4 } },
      { id: 'poll-requests', unit: 'requests', samples: of('requests'), floor: [objects], target: { atMost: 1 } },
    ]
  },
}

/** Figures of a hundred polls, without those of the start. */
async function quietly({ cloud }: Workshop, sidecar: SidecarRun) {
  const { pid } = sidecar.process
  const observe = async (atLeast: number) => {
    // Just after a poll's end nothing is on its way.
    const before = await polls(sidecar)
    const count = await until('poll', 10_000, async () => {
      const now = await polls(sidecar)
      return now > Math.max(before, atLeast) ? now : undefined
    })
    return { count, requests: cloud.emulator.journal.count('*', vault), cpu: cpuTime(pid) }
  }
  const from = await observe(5)
  await sleep(quietPolls * interval)
  const to = await observe(from.count + quietPolls)
  const perPoll = (field: 'requests' | 'cpu') => (to[field] - from[field]) / (to.count - from.count)
  return { ...memory(pid), requests: perPoll('requests'), cpu: perPoll('cpu') }
}
