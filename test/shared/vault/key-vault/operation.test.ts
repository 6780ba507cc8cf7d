import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { currentOperation, runOperation } from '../../../../shared/vault/key-vault/operation.ts'
import { never } from '../fixture.ts'

void t.test('operation: code runs within its operation, also in later turns and in generators', async (t) => {
  async function* pages() {
    for (;;) {
      await turn()
      yield currentOperation()
    }
  }
  const outcome = await runOperation({ abort: never, timeoutMs: 10_000, collection: '/secrets' }, async () => {
    const seen = [currentOperation()]
    for await (const one of pages()) if (seen.push(one) === 4) return new Set(seen)
    return undefined
  })
  t.ok('result' in outcome)
  t.strictSame('result' in outcome && [...outcome.result!], [outcome.operation])
  t.equal(currentOperation(), undefined)
})

void t.test('operation: it ends when its time is up, whatever its code does', async (t) => {
  for (const [name, onWire, endedOn] of [
    ['the vault', true, 'vault'],
    ['the sign-in', false, 'sign-in'],
  ] as const) {
    const outcome = await runOperation({ abort: never, timeoutMs: 10 }, () => {
      currentOperation()!.onWire = onWire
      return new Promise(() => {})
    })
    t.ok('error' in outcome)
    t.match(outcome.operation, { endedOn, signal: { aborted: true } }, `waiting for ${name}`)
  }
})

void t.test('operation: it ends with the caller’s signal and leaves no listener on it', async (t) => {
  const caller = new AbortController()
  let listeners = 0
  const count =
    (by: number) =>
    (...[type, ...rest]: Parameters<AbortSignal['addEventListener']>) => {
      listeners += by
      const method = by > 0 ? 'addEventListener' : 'removeEventListener'
      AbortSignal.prototype[method].call(caller.signal, type, ...rest)
    }
  Object.assign(caller.signal, { addEventListener: count(1), removeEventListener: count(-1) })
  const waiting = runOperation({ abort: caller.signal, timeoutMs: 10_000 }, () => new Promise(() => {}))
  t.equal(listeners, 1)
  caller.abort()
  t.ok('error' in (await waiting))
  t.equal(listeners, 0)
  const late = await runOperation({ abort: caller.signal, timeoutMs: 10_000 }, () => new Promise(() => {}))
  t.ok('error' in late && late.operation.signal.aborted)
})

void t.test('operation: an error of its code is passed on', async (t) => {
  const error = new Error('mine')
  const outcome = await runOperation({ abort: never, timeoutMs: 10_000 }, () => Promise.reject(error))
  t.match(outcome, { error, operation: { endedOn: undefined } })
})
