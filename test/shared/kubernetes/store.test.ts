import t from 'tap'
import { Store } from '../../../shared/kubernetes/store.ts'

const long = (length: number): string => 'x'.repeat(length)

void t.test('cluster store: a full namespace takes no space of another', (t) => {
  const store = new Store<string>({ bytes: 100_000, bytesPerNamespace: 10_000 })
  let kept = 0
  while (store.set('crowded', `a-${kept}`, long(100))) kept++
  t.ok(kept > 10 && kept < 25, `${kept} of 200 bytes of text and some more are 10,000 bytes`)
  t.equal(store.size, kept)
  t.ok(store.set('shop', 'default', long(100)))
  t.equal(store.get('shop', 'default'), long(100))
  t.equal(store.get('crowded', `a-${kept}`), undefined, 'the one that had no room is not there')
  t.end()
})

void t.test('cluster store: all namespaces together have a limit', (t) => {
  const store = new Store<string>({ bytes: 20_000, bytesPerNamespace: 10_000 })
  let kept = 0
  while (store.set(`namespace-${kept}`, 'default', long(100))) kept++
  t.ok(kept > 20 && kept < 50, `${kept}`)
  t.end()
})

void t.test('cluster store: objects without a namespace have the limit of all', (t) => {
  const store = new Store<string>({ bytes: 10_000, bytesPerNamespace: 0 })
  t.ok(store.set('', 'shop', long(4000)))
  t.notOk(store.set('', 'other', long(4000)))
  t.end()
})

void t.test('cluster store: an object that grew too large is dropped, not kept in its old form', (t) => {
  const store = new Store<string>({ bytes: 10_000, bytesPerNamespace: 5_000 })
  store.set('shop', 'default', 'old')
  t.notOk(store.set('shop', 'default', long(5_000)))
  t.equal(store.get('shop', 'default'), undefined)
  t.equal(store.size, 0)
  t.end()
})

void t.test('cluster store: replaced and deleted objects free their space', (t) => {
  const store = new Store<string>({ bytes: 10_000, bytesPerNamespace: 5_000 })
  for (let round = 0; round < 100; round++) {
    t.ok(store.set('shop', 'default', long(2_000 + round)), `replaced, ${round}`)
    t.ok(store.set(`namespace-${round}`, 'default', long(2_000)), `one of many namespaces, ${round}`)
    store.delete(`namespace-${round}`, 'default')
  }
  store.delete('shop', 'gone')
  store.delete('gone', 'default')
  t.strictSame(store.all('shop'), [long(2_099)])
  t.equal(store.size, 1)
  t.end()
})
