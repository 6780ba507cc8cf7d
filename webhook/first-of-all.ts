// Before the rest of the program is evaluated: a process with pid 1 ignores signals that it has no handler for.
let terminate = (): void => process.exit(0)
process.on('SIGTERM', () => terminate())
process.on('SIGINT', () => process.exit(0))

/** Sets what the first SIGTERM from now on does; until then, SIGTERM ends the process at once, as it serves nothing yet. */
export const onTerminate = (handler: () => void): void => {
  terminate = () => {
    terminate = () => undefined
    handler()
  }
}
