import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'
import { objectOf } from '../../support/settings.ts'

const minute = 60_000
const hour = 60 * minute

void t.test('rendering: templates and bundles follow their objects', async (t) => {
  const settings = {
    templates: { 'conf/app.ini': 'user={{ secrets["db-user"] }}\npassword={{ secrets["db-password"] }}\n' },
    bundles: { '.env': 'dotenv' as const },
  }
  await t.test(
    'rendering: templates and bundles are rendered from the objects, and again when these change',
    async (t) => {
      const pod = await podWith(t, ['db-user', 'db-password'], settings)
      await pod.start()
      t.match(pod.files(), { 'conf/app.ini': 'user=db-user-1\npassword=db-password-1\n', '.env': /db-user/ })
      await pod.advance(5 * minute)
      pod.stop()
      pod.vault.set('db-password', 'db-password-2')
      await pod.start()
      t.match(pod.files(), { 'conf/app.ini': 'user=db-user-1\npassword=db-password-2\n', '.env': /db-password-2/ })
      t.strictSame(
        pod.notifications[0]?.changed.map(({ type, paths }) => [type, ...paths]),
        [
          ['secret', 'db-password'],
          ['template', 'conf/app.ini'],
          ['bundle', '.env'],
        ],
      )
    },
  )
  await t.test('rendering: a template or bundle that fails after the start keeps its last good file', async (t) => {
    const pod = await podWith(t, ['db-user', 'db-password'], { ...settings, onDelete: 'delete' })
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.delete('db-user')
    pod.vault.set('db-password', 'db-password-2')
    await pod.advance(5 * minute)
    t.match(pod.files(), { 'conf/app.ini': 'user=db-user-1\npassword=db-password-1\n', 'db-password': 'db-password-2' })
    t.match(pod.status().texts, [
      { path: 'conf/app.ini', problem: { message: /template "conf\/app.ini": / } },
      { path: '.env', problem: undefined },
    ])
    const failing = /text_failing\{path="conf\/app.ini"\} 1/
    t.match(pod.sidecar?.metrics(), failing)
    pod.stop()
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.start()
    t.match(pod.sidecar?.metrics(), failing, 'which a restart does not hide')
    pod.vault.fault = () => undefined
    pod.vault.recover('db-user')
    await pod.advance(5 * minute)
    t.match(pod.files(), { 'conf/app.ini': 'user=db-user-1\npassword=db-password-2\n' })
    t.match(pod.events('text').at(-1), { state: 'recovered' })
  })
  await t.test('rendering: a template or bundle that fails holds the start back, with the reason', async (t) => {
    const pod = await podWith(t, ['db-user'], { templates: { a: '{{ secrets["db-user"] | nonsense }}' } })
    await pod.start()
    await pod.advance(20_000)
    t.match(pod.end, { code: 1, reason: /^template "a": .*nonsense/ })
  })
})

void t.test('rendering: an object that cannot be rendered keeps its last good file', async (t) => {
  const pod = await podWith(t, [objectOf('a', { encoding: 'base64' }), 'b'])
  pod.vault.set('a', 'YQ==')
  await pod.start()
  t.match(pod.files(), { a: 'a', b: 'b-1' })
  await pod.advance(5 * minute)
  pod.vault.set('a', 'canary-value')
  pod.vault.set('b', 'b-2')
  await pod.advance(10 * minute)
  t.match(pod.files(), { a: 'a', b: 'b-2' })
  t.match(pod.status().objects[0]?.problem, {
    kind: 'render',
    message: /secret a@[0-9a-f]{32}: the value is not base64/,
  })
  t.ok(
    pod.vault.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length <= 4,
    'it is not read over and over',
  )
  pod.stop()
  await pod.start()
  t.match(pod.status().objects[0]?.problem, { kind: 'render' }, 'a restart does not forget')
  t.match(pod.files(), { a: 'a' })
  pod.vault.set('a', 'Yg==')
  await pod.advance(5 * minute)
  t.match(pod.files(), { a: 'b' })
  t.equal(pod.status().objects[0]?.problem, undefined)
})

void t.test('expiry: an object that expires soon is logged once a day, and is a metric', async (t) => {
  const pod = await podWith(t, ['soon', 'later', 'past', 'never'])
  const at = (days: number) => Math.floor(pod.clock.now() / 1000) + days * 86_400
  pod.vault.update('soon', { expires: at(10), notBefore: 1000 })
  pod.vault.update('later', { expires: at(20) })
  pod.vault.update('past', { expires: at(-2) })
  await pod.advance(hour)
  await pod.start()
  await pod.advance(2 * hour)
  t.strictSame(
    pod.events('expiring').map(({ object }) => object),
    ['secret soon', 'secret past'],
  )
  t.match(pod.events('expiring'), [
    { msg: /^secret soon expires in 23\dh.*renew it$/ },
    { msg: /^secret past expired 4\dh/ },
  ])
  await pod.advance(70 * hour)
  t.equal(pod.events('expiring').length, 6)
  await pod.advance(5 * 24 * hour)
  t.ok(pod.events('expiring').some(({ object }) => object === 'secret later'))
  t.match(
    pod.sidecar?.metrics(),
    /object_not_before_timestamp_seconds\{vault="my-kv",type="secret",name="soon",path="soon"\} 1000/,
  )
  t.notMatch(pod.sidecar?.metrics(), /expiry_timestamp_seconds\{[^}]*never/)
})

void t.test('secrecy: no value appears in logs, metrics, status, reasons and markers', async (t) => {
  const canary = 'c4nary-v4lue'
  const pod = await podWith(t, ['a', objectOf('b', { encoding: 'hex', optional: true }), 'c'], {
    templates: { t: '{{ secrets["a"] }} {{ secrets["c"] | b64dec }}' },
  })
  pod.annotations = { ...pod.annotations, 'log-level': 'trace' }
  for (const name of ['a', 'b', 'c']) pod.vault.set(name, `${canary}-${name}`)
  await pod.start()
  await pod.advance(20_000)
  t.match(pod.end, { code: 1 })
  const reason = JSON.stringify(pod.end)
  pod.stop()
  pod.vault.set('c', Buffer.from(canary).toString('base64'))
  await pod.start()
  await pod.advance(10 * minute)
  pod.appListens = false
  for (const value of ['1', '2']) {
    pod.vault.set('a', `${canary}-${value}`)
    pod.vault.set('c', `${canary}-${value}`)
    await pod.advance(10 * minute)
  }
  const { readFileSync } = await import('node:fs')
  const manifest = readFileSync(`${pod.mount}/..data/..manifest.json`, 'utf8')
  t.match(JSON.parse(manifest), { notification: { changed: Array } })
  const everything = [
    reason,
    JSON.stringify(pod.lines),
    pod.sidecar?.metrics(),
    JSON.stringify(pod.status()),
    manifest,
    pod.sidecar?.notReady(),
  ].join('\n')
  t.match(pod.files(), { a: `${canary}-2` }, 'the value is there')
  t.notMatch(everything, new RegExp(canary))
  t.notMatch(everything, new RegExp(Buffer.from(canary).toString('base64').slice(0, 12)))
})
