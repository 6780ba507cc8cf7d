import { setTimeout as sleep } from 'node:timers/promises'
import { appPod } from '../demo/cluster.ts'
import { review } from '../demo/webhook.ts'
import type { Bench } from './bench.ts'
import { bareMemory, memory } from './proc.ts'
import { webhookInCluster } from './webhook-in-cluster.ts'
import type { BenchContext } from './bench-context.ts'

const runs = 3
const known = { namespaces: 1000, serviceAccounts: 5000 }
/** Enough for the engine to compile the code of every review. */
const reviews = 200

/** The memory of a webhook that knows the ServiceAccounts and Namespaces of a large cluster and has reviewed pods. */
export const webhookMemory: Bench = {
  ids: ['webhook-memory', 'webhook-rss'],
  async run(context) {
    const figures: ReturnType<typeof memory>[] = []
    const floor: ReturnType<typeof memory>[] = []
    for (let run = 0; run < runs; run++) {
      figures.push(await inLargeCluster(context))
      floor.push(await bareMemory(context.supervisor, [process.execPath]))
    }
    return [
      {
        id: 'webhook-memory',
        unit: 'MB',
        samples: figures.map(({ anonymous }) => anonymous),
        floor: floor.map(({ anonymous }) => anonymous),
        target: { atMost: 70 },
      },
      {
        id: 'webhook-rss',
        unit: 'MB',
        samples: figures.map(({ resident }) => resident),
        floor: floor.map(({ resident }) => resident),
      },
    ]
  },
}

async function inLargeCluster(context: BenchContext): Promise<ReturnType<typeof memory>> {
  const webhook = await webhookInCluster(context, known)
  try {
    const pod = appPod({ vault: 'bench-kv', objects: 'secret-0, secret-1' }, [])
    for (let count = 0; count < reviews; count++) await review(webhook, pod)
    await sleep(2000)
    return memory(webhook.process.pid)
  } finally {
    await webhook.close()
  }
}
