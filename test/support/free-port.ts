import { createServer } from 'node:net'

/** Returns a port that nothing listens on, below the range from which the kernel assigns ports by itself. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false)).listen(port, () => server.close(() => resolve(true)))
  return promise
}
