import t from 'tap'
import { logLines, split } from './pod-start-times.ts'

const log = `2026-01-01T00:00:02.500000000Z {"event":"started"}
2026-01-01T00:00:02.750250000Z {"event":"sign-in","durationMs":100}
2026-01-01T00:00:03.100000000Z {"event":"switched","first":true}
`
const base = Date.parse('2026-01-01T00:00:00Z')

void t.test('bench pod start: the parts add up to the whole start', async (t) => {
  const sidecar = logLines(log)
  t.equal(sidecar[1]?.at, base + 2750.25)
  const parts = split({ asked: base, created: base + 20, app: base + 4000, sidecar })
  t.match(parts, { admission: 0.02, container: 2.48, signIn: 0.1, fetch: 0.5, probe: 0.9 })
  const { admission, container, signIn, fetch, probe } = parts
  t.equal(admission + container + signIn + fetch + probe, 4)
})

void t.test('bench pod start: a log without the first set is an error', async (t) => {
  t.throws(() => split({ asked: 0, created: 0, app: 0, sidecar: logLines(log).slice(0, 2) }), /does not tell/)
  t.throws(() => logLines('no time here'), /without a time: no time here/)
})
