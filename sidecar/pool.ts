/** Runs a task for each item, so many at a time; a task that says `stop` keeps those not yet begun from running. */
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

/** Makes tasks run one after the other, in the order they were given; a failed one does not stop the next. */
export function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
