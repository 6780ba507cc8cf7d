/** Polls of all namespaces at once: each holds the values of one class in memory, up to 13 MB and their copies. */
const mostAtOnce = 4

type Task = () => Promise<void>

/**
 * Returns a function that runs tasks in turns: one at a time for each namespace, so that a namespace whose vaults do not answer does not keep
 * the others waiting, and a limited number in total.
 */
export function createTurns(most = mostAtOnce): (namespace: string, task: Task) => Promise<void> {
  const busy = new Set<string>()
  const waiting: { namespace: string; start: () => void }[] = []

  function next(): void {
    while (busy.size < most) {
      const index = waiting.findIndex(({ namespace }) => !busy.has(namespace))
      const [one] = index === -1 ? [] : waiting.splice(index, 1)
      if (one === undefined) return
      busy.add(one.namespace)
      one.start()
    }
  }

  return async (namespace, task) => {
    await new Promise<void>((start) => {
      waiting.push({ namespace, start })
      next()
    })
    try {
      await task()
    } finally {
      busy.delete(namespace)
      next()
    }
  }
}
