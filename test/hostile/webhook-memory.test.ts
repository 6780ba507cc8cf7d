import { gzipSync } from 'node:zlib'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { annotated, reviewOf } from '../webhook/review-app.ts'
import { startWebhook, type WebhookProcess } from './webhook-process.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'
import { until } from '../support/until.ts'

// Each attack hits a process of its own, with the flags and the memory of the manifest. A review of another tenant is answered
// meanwhile, and the most that the process has ever had in memory stays below its limit.

const mebi = 1024 * 1024
const most = 8 * mebi
const skip = process.platform === 'linux' ? false : 'memory is read from /proc'

/** A body of at most so many bytes in which a list of one item repeated takes nearly all. */
function filled(item: (index: number) => string, bytes = most, mostItems = Infinity): string {
  const [before, after] = JSON.stringify(reviewOf(annotated({}, { filling: [] }))).split('"filling":[') as [
    string,
    string,
  ]
  const items: string[] = []
  let left = bytes - before.length - after.length - 20
  for (let index = 0; left > 0 && index < mostItems; index++) {
    const next = item(index)
    left -= next.length + 1
    if (left > 0) items.push(next)
  }
  return `${before}"filling":[${items.join()}${after}`
}

async function survives(t: Test, webhook: WebhookProcess): Promise<void> {
  t.match(await webhook.review(), { status: 200, body: /"patchType":"JSONPatch"/ }, 'another tenant is answered')
  t.ok(webhook.isRunning())
  const peak = webhook.peak()
  t.comment(`${Math.round(peak / mebi)} MiB of ${webhookManifest.memory / mebi}`)
  t.ok(peak < webhookManifest.memory, `${peak} bytes are less than the limit, ${webhookManifest.memory}`)
}

void t.test('webhook memory: the idle webhook uses less than half of its limit', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  await survives(t, webhook)
  t.ok(webhook.peak() < webhookManifest.memory / 2)
})

const small = {
  'empty objects': () => '{}',
  'empty lists': () => '[]',
  'objects of different shapes': (index: number) => `{"k${index}":1}`,
  'lists of one': () => '[1]',
}
for (const [name, item] of Object.entries(small)) {
  void t.test(`webhook memory: the largest bodies of ${name} are rejected within the limit`, { skip }, async (t) => {
    const webhook = await startWebhook(t)
    const body = filled(item)
    const answers = await Promise.all(Array.from({ length: 8 }, () => webhook.post('/mutate', body)))
    for (const { status, body } of answers) t.ok(status === 413 || status === 503, `${status} ${body}`)
    t.match((await webhook.limited())['body-values'], Number)
    await survives(t, webhook)
  })
  void t.test(
    `webhook memory: bodies with the most ${name} that are accepted stay within the limit`,
    { skip },
    async (t) => {
      const webhook = await startWebhook(t)
      const valuesPerItem = [...item(0)].filter((character) => '[{,:'.includes(character)).length + 1
      const body = filled(item, most, 199_900 / valuesPerItem)
      const answers = await Promise.all(Array.from({ length: 30 }, () => webhook.post('/mutate', body)))
      t.ok(answers.some(({ status }) => status === 200))
      for (const { status, body } of answers) t.ok(status === 200 || status === 503, `${status} ${body.slice(0, 200)}`)
      await survives(t, webhook)
    },
  )
}

void t.test('webhook memory: nesting that would overflow the stack is rejected', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  t.match(await webhook.post('/mutate', '['.repeat(most)), { status: 413, body: /nested more than 2000 deep/ })
  await survives(t, webhook)
})

void t.test('webhook memory: bodies that are never finished stay within the limit', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  const body = Buffer.from(filled((index) => `"${index}"`))
  const sockets: Socket[] = []
  for (let count = 0; count < 30; count++) {
    const socket = await webhook.connect(`127.0.0.${2 + (count % 3)}`)
    socket.write(
      `POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    socket.write(body.subarray(0, -1))
    sockets.push(socket)
    if (count % 10 === 9) t.match(await webhook.review(), { status: 200 }, `after ${count + 1} of them`)
  }
  t.match(
    await webhook.post(
      '/mutate',
      filled((index) => `"value-${index}-of-some-length"`, 3 * mebi),
    ),
    { status: 200 },
    'a large one, too',
  )
  await until('every socket is closed', () => sockets.every(({ closed }) => closed), { timeoutMs: 30_000 })
  t.ok(
    sockets.every(({ closed }) => closed),
    'none is waited for longer than its time',
  )
  t.ok(((await webhook.limited())['body-memory'] ?? 0) > 20)
  await survives(t, webhook)
})

void t.test('webhook memory: compressed bodies and bodies of unknown size are rejected unread', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  const bomb = gzipSync(Buffer.alloc(512 * mebi, ' '))
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => webhook.post('/mutate', bomb, { 'content-encoding': 'gzip' })),
  )
  for (const answer of answers) t.match(answer, { status: 415, body: /is compressed/ })
  const gzipped = gzipSync(JSON.stringify(reviewOf(annotated())))
  t.match(await webhook.post('/mutate', gzipped), { status: 400, body: /not complete JSON/ }, 'never inflated')
  for (const encoding of ['br', 'deflate', 'identity, gzip', 'x'])
    t.match(await webhook.post('/mutate', '{}', { 'content-encoding': encoding }), { status: 415 }, encoding)
  const chunked = await webhook.post('/mutate', '{}', { 'transfer-encoding': 'chunked' })
  t.match(chunked, { status: 411, body: /send a Content-Length/ })
  t.match(await webhook.limited(), { 'body-encoding': 34, 'body-size': 1 })
  await survives(t, webhook)
})

void t.test('webhook memory: the largest reviews that the API server sends are answered', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  const env = (index: number) => `{"name":"SETTING_${index}","value":"https://service-${index}.shop.svc.cluster.local"}`
  const objects = {
    'three mebibytes of variables': filled(env, 3 * mebi),
    'six mebibytes of text, some of it wide': filled(
      (index) => `"${'wide \u{1f600} '.repeat(1000)}${index}"`,
      (6 * mebi) / 1.3,
    ),
    'six mebibytes of long variables': filled((index) => env(index).replace('shop', 'shop'.repeat(40)), 6 * mebi),
  }
  for (const [name, body] of Object.entries(objects)) {
    t.match(await webhook.post('/mutate', body), { status: 200, body: /"patchType":"JSONPatch"/ }, name)
    const answers = await Promise.all(Array.from({ length: 10 }, () => webhook.post('/mutate', body)))
    t.ok(answers.some(({ status }) => status === 200))
    for (const { status } of answers) t.ok(status === 200 || status === 503, `${name}: ${status}`)
  }
  await survives(t, webhook)
})
