// A stand-in for an app that reads a secret when it starts, and again when it is told to: on SIGHUP, or on a POST where a
// port is given. It shows a fingerprint, so that one sees the value change without seeing the value.
//
//   node app.mjs FILE [PORT]
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'
import { setInterval } from 'node:timers'

const [file, port] = process.argv.slice(2)

function load(why) {
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex')
  console.log(`${why}: ${basename(file)} has SHA-256 ${digest}`)
}

process.on('SIGHUP', () => load('SIGHUP'))
process.on('SIGTERM', () => process.exit(0))
// Something to wait for, or Node would end here.
setInterval(() => {}, 3_600_000)

if (port !== undefined) {
  createServer((request, response) => {
    if (request.method === 'POST') load(`POST ${request.url}`)
    response.writeHead(request.method === 'POST' ? 204 : 405).end()
  }).listen(Number(port), '127.0.0.1', () => load('start'))
} else {
  load('start')
}
