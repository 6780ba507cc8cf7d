// Evaluated before the rest of the program, because a process with PID 1 ignores signals that have no handler.
let terminate = (): void => process.exit(0)
process.on('SIGTERM', () => terminate())
process.on('SIGINT', () => process.exit(0))

/** Sets the handler of the next SIGTERM. Until then, SIGTERM ends the process at once, because it serves nothing yet. */
export const onTerminate = (handler: () => void): void => {
  terminate = () => {
    terminate = () => undefined
    handler()
  }
}
