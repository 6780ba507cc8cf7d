// Before the rest of the program is evaluated: a process with pid 1 ignores signals that it has no handler for.
// Until a set of files is served, an end is a failure: after exit code 0 of an init container, the kubelet starts the app.
process.exitCode = 1
process.on('SIGTERM', () => process.exit())
process.on('SIGINT', () => process.exit())
