import t from 'tap'
import { readFields, type Fields } from '../../../shared/kubernetes/json-fields.ts'

interface Read {
  items: unknown[]
  values: unknown[]
  cut: boolean[]
}

/** What is read of a text that arrives in chunks of so many bytes. */
function read(text: string, fields: Fields, { limit = 1e6, chunk = Infinity, items = 'items' } = {}): Read {
  const found: Read = { items: [], values: [], cut: [] }
  const push = readFields({
    fields,
    limit,
    items,
    onItem: (item, isCut) => (found.items.push(item), found.cut.push(isCut)),
    onValue: (value, isCut) => (found.values.push(value), found.cut.push(isCut)),
  })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunk) push(bytes.subarray(at, at + chunk))
  return found
}

const metadata = { name: true, annotations: { 'ours/*': true, one: true } } as const
const object = (name: string, annotations: object = {}) => ({
  spec: { a: [1, '}', { b: '\\"' }] },
  metadata: { labels: { x: 'y' }, name, annotations },
})

void t.test('JSON fields: only the requested ones are kept, however the text is cut into chunks', async (t) => {
  const list = {
    kind: 'List',
    metadata: { continue: 'more', resourceVersion: '5', remainingItemCount: 3 },
    items: [
      object('a', { 'ours/x': '"\\\u{1f600}\n', 'theirs/x': '{[,:', one: '' }),
      object('b'),
      { metadata: null },
      { metadata: { name: null, annotations: [] } },
      {},
    ],
  }
  const fields = { metadata: { continue: true, resourceVersion: true }, items: { metadata } } as const
  for (const text of [JSON.stringify(list), JSON.stringify(list, undefined, '\t')])
    for (const chunk of [1, 2, 3, 7, 64, Infinity]) {
      const { items, values } = read(text, fields, { chunk })
      t.strictSame(values, [{ metadata: { continue: 'more', resourceVersion: '5' } }], `chunks of ${chunk}`)
      t.strictSame(items, [
        { metadata: { name: 'a', annotations: { 'ours/x': '"\\\u{1f600}\n', one: '' } } },
        { metadata: { name: 'b', annotations: {} } },
        {},
        { metadata: { name: null, annotations: [] } },
        {},
      ])
    }
})

void t.test('JSON fields: a stream of values may contain one of any size', async (t) => {
  const events = [
    { type: 'ADDED', object: object('a') },
    { type: 'ADDED', object: object('b', { 'ours/x': 'x'.repeat(5_000) }) },
    { type: 'DELETED', object: object('c') },
  ]
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const { values, cut } = read(text, { type: true, object: { metadata } }, { limit: 1_000, chunk: 100 })
  t.match(values, [
    { type: 'ADDED', object: { metadata: { name: 'a' } } },
    { type: 'ADDED', object: { metadata: { name: 'b', annotations: { 'ours/x': null } } } },
    { type: 'DELETED', object: { metadata: { name: 'c' } } },
  ])
  t.strictSame(cut, [false, true, false])
})

void t.test('JSON fields: the limit applies to a value, not to each of its fields', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`ours/${index}`, 'x'.repeat(100)]))
  const { values, cut } = read(JSON.stringify(object('a', many)), { metadata }, { limit: 1_000 })
  const annotations = Object.values((values as [{ metadata: { annotations: object } }])[0].metadata.annotations)
  t.equal(annotations.filter((value) => value !== null).length, 9)
  t.strictSame(cut, [true])
})

void t.test('JSON fields: names that are special in JavaScript are plain names', async (t) => {
  const text = '{"metadata":{"__proto__":{"name":"a"},"constructor":1,"name":"b"}}'
  const { values } = read(text, { metadata: { '*': true } })
  t.equal(JSON.stringify(values), `[${text}]`)
  t.strictSame(read(text, { metadata: { name: true } }).values, [{ metadata: { name: 'b' } }])
})

void t.test('JSON fields: with all fields requested, random values equal those of JSON.parse', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6)
  t.comment(`SEED=${seed}`)
  let state = seed
  const random = (below: number): number => (state = (state * 48271 + 11) % 2147483647) % below
  const texts = ['', 'a', '"', '\\', '\\"', '{', '}', '[', ']', ',', ':', '\u{1f600}', '\u0000', 'items', '*']
  // V8 13.6 reads an escaped name now and then as another one.
  const names = texts.filter((text) => !/["\\\0]/.test(text))
  const value = (depth: number): unknown => {
    const kind = random(depth > 4 ? 4 : 6)
    if (kind === 0) return texts[random(texts.length)]
    if (kind === 1) return random(1000) / 7 - 50
    if (kind === 2) return [true, false, null][random(3)]
    if (kind === 3) return Array.from({ length: random(3) }, () => texts[random(texts.length)])
    if (kind === 4) return Array.from({ length: random(4) }, () => value(depth + 1))
    return Object.fromEntries(Array.from({ length: random(4) }, () => [names[random(names.length)], value(depth + 1)]))
  }
  const walk: Fields = { '*': { '*': { '*': true } } }
  for (let count = 0; count < 2_000; count++) {
    const one = { metadata: value(0), other: [value(0)] }
    const text = JSON.stringify(one, undefined, random(2))
    const { values } = read(text, random(2) === 0 ? { '*': true } : true, { chunk: 1 + random(20), items: 'none' })
    t.strictSame(JSON.stringify(values), JSON.stringify([one]))
    t.doesNotThrow(() => read(text, walk, { chunk: 1 + random(20) }))
  }
})
