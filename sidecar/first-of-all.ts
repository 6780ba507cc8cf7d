// Before the rest of the program is evaluated: a process with pid 1 ignores signals that it has no handler for.
process.on('SIGTERM', () => process.exit(0))
process.on('SIGINT', () => process.exit(0))
