/** Runs a task for each item, at most so many at a time. After a task returns `stop`, no further one begins. */
export async function eachAtMost<T>(
  limit: number,
  items: Iterable<T>,
  task: (item: T) => Promise<'stop' | undefined>,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      if ((await task(item)) === 'stop') queue.length = 0
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, queue.length) }, worker))
}

/** Runs tasks one after the other, in the given order; a task that fails does not stop the next one. */
export function createQueue(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
