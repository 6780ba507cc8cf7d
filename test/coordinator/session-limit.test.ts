import t from 'tap'
import { sessionLimit } from '../../coordinator/session-limit.ts'

const mebibyte = 1024 * 1024

void t.test("session limit: follows from the container's memory limit", async (t) => {
  t.equal(sessionLimit(256 * mebibyte), 1_638)
  t.equal(sessionLimit(1024 * mebibyte), 9_502)
  t.equal(sessionLimit(64 * mebibyte), 10, 'a few in any case')
  for (const none of [0, 2 ** 63, 9223372036854771712]) t.equal(sessionLimit(none), 10_000)
})
