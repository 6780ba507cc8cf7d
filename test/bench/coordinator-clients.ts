/**
 * A part of a fleet: holds sessions with a coordinator, one for each line of a file of tokens, and opens them again when they end.
 * `coordinator-clients.ts URL CA-FILE TOKENS-FILE VERSION`; prints `open N` whenever all N are covered.
 */
import { readFileSync } from 'node:fs'
import { realClock } from '../../shared/clock.ts'
import { SessionLoop } from '../../shared/coordination/session-loop.ts'
import { createLogger } from '../../shared/log.ts'

const [url = '', caFile = '', tokensFile = '', version = ''] = process.argv.slice(2)
const caCertificates = readFileSync(caFile, 'utf8')
const tokens = readFileSync(tokensFile, 'utf8').split('\n')

const served = { vault: 'https://my-kv.vault.emulator.example', type: 'secret' as const, name: 'a', version }
const objects = ['a', 'b', 'c', 'd', 'e'].map((name) => {
  return { ...served, name, readAt: Date.now(), isPinned: false, notified: 'yes' as const }
})
const state = { isServing: true, isSuspended: false, permission: 'permitted' as const, objects }
const log = createLogger('error', { write: (line: string) => void process.stdout.write(line) })

const covered = new Set<string>()
for (const token of tokens) {
  const loop = new SessionLoop(
    {
      access: { url, caCertificates, coverageAge: 120_000, reconnect: 30_000 },
      readToken: async () => token,
      ...{ clock: realClock, random: Math.random, log },
    },
    {
      served: () => [served],
      state: () => state,
      reported: () => undefined,
      take(event) {
        if (event.name !== 'coverage' || covered.has(token)) return
        covered.add(token)
        if (covered.size === tokens.length) console.log(`open ${covered.size}`)
      },
      disconnected: () => void covered.delete(token),
    },
  )
  void loop.run(new AbortController().signal)
}
