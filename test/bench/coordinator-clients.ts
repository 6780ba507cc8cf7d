/**
 * Opens sessions with a coordinator, one for each line of a file of tokens, and keeps them: a part of a fleet.
 * `coordinator-clients.ts URL CA-FILE TOKENS-FILE VERSION`; prints `open N` when all N are covered.
 */
import { readFileSync } from 'node:fs'
import { realClock } from '../../shared/clock.ts'
import { openConnection } from '../../shared/coordination/connection.ts'
import { stateLines } from '../../shared/coordination/pod-state.ts'
import { formatReport, snapshotLines } from '../../shared/coordination/reports.ts'
import { until } from '../support/until.ts'

const [url = '', caFile = '', tokensFile = '', version = ''] = process.argv.slice(2)
const caCertificates = readFileSync(caFile, 'utf8')
const tokens = readFileSync(tokensFile, 'utf8').split('\n')
/** Handshakes at once. */
const atOnce = 50

const object = { vault: 'https://my-kv.vault.emulator.example', type: 'secret' as const, name: 'a', version }
const objects = ['a', 'b', 'c', 'd', 'e'].map((name) => {
  return { ...object, name, readAt: Date.now(), isPinned: false, notified: 'yes' as const }
})
const lines = [
  ...snapshotLines(1, [object]),
  ...stateLines(1, { isServing: true, isSuspended: false, permission: 'permitted', objects }),
]

let covered = 0
for (const [index, token] of tokens.entries()) {
  const connection = openConnection({
    ...{ url, caCertificates, token, silenceMs: 120_000, clock: realClock },
    onOpen: () => lines.forEach((line) => connection.send(line)),
    onEvent(event) {
      if (event.name === 'coverage') covered++
      if (event.name === 'heartbeat') connection.send(formatReport({ type: 'seen', heartbeat: event.number }))
    },
    onEnd: ({ reason }) => console.log(`ended: ${reason}`),
  })
  await until('the last sessions are covered', () => covered > index - atOnce, { timeoutMs: 60_000 })
}
await until('all sessions are covered', () => covered >= tokens.length, { timeoutMs: 60_000 })
console.log(`open ${covered}`)
