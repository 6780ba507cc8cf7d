import type { Socket } from 'node:net'

/** Waits until a connection is closed, also by a reset: `once` of node:events rejects with the error that comes before. */
export async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => undefined).once('close', () => resolve())
  await promise
}
