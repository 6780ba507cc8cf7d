import t, { type Test } from 'tap'
import type { Settings } from '../../../shared/settings/codec.ts'
import { podWith, type TestPod } from '../../support/sidecar-pod.ts'

const minute = 60_000
const hour = 60 * minute
const templates = { url: 'password={{ secrets["db-password"] }}' }

/** Lets every template take too long until it is called: LiquidJS reads no other clock. */
function slow(t: Test): () => void {
  const real = performance.now.bind(performance)
  let late = 0
  const now = () => real() + (new Error().stack?.includes('liquid') ? (late += 4_000) : 0)
  Object.defineProperty(performance, 'now', { configurable: true, writable: true, value: now })
  const end = () => void Reflect.deleteProperty(performance, 'now')
  t.teardown(end)
  return end
}

const failing = (pod: TestPod): unknown => /text_failing\{path="url"\} (\d)/.exec(pod.sidecar?.metrics() ?? '')?.[1]

/** A pod whose template took too long while its object was rotated. */
async function withOldText(t: Test, overrides: Partial<Settings> = {}) {
  const pod = await podWith(t, ['db-password', 'x', 'y'], { templates, ...overrides })
  await pod.start()
  await pod.advance(5 * minute)
  const end = slow(t)
  pod.vault.set('db-password', 'db-password-2')
  await pod.advance(3 * minute)
  t.match(pod.files(), { 'db-password': 'db-password-2', url: 'password=db-password-1' })
  t.equal(failing(pod), '1')
  const [{ problem } = {}] = pod.status().texts
  t.match(problem, { kind: 'render', message: 'template "url": the template render limit is exceeded' })
  return { pod, end }
}

void t.test('templates: one that took too long is rendered again, without a request', async (t) => {
  const { pod, end } = await withOldText(t)
  pod.vault.asked.length = 0
  await pod.advance(10 * minute)
  t.match(pod.files(), { url: 'password=db-password-1' })
  const [{ problem: { since } = {} } = {}] = pod.status().texts
  t.ok(Date.parse(since ?? '') < pod.clock.now() - 10 * minute, 'it fails since it first did')
  t.equal(pod.notifications.length, 1)
  end()
  await pod.advance(3 * minute)
  t.match(pod.files(), { url: 'password=db-password-2' })
  t.match(pod.notifications, [{}, { changed: [{ type: 'template', name: 'url', paths: ['url'] }] }])
  t.equal(failing(pod), '0')
  t.match(pod.events('text').at(-1), { state: 'recovered' })
  await pod.advance(10 * minute)
  t.equal(pod.notifications.length, 2)
  t.equal(pod.vault.count('get'), 0, 'the objects are in the volume')
})

void t.test('templates: one that cannot be rendered causes no request, switch or notification', async (t) => {
  const pod = await podWith(t, ['db', 'x', 'y'], { templates: { url: '{{ secrets.db | parse_json }}' } })
  pod.vault.set('db', '{}')
  await pod.advance(hour)
  await pod.start()
  await pod.advance(5 * minute)
  pod.vault.set('db', 'not JSON')
  await pod.advance(5 * minute)
  const { set, notifications } = pod
  t.equal(failing(pod), '1')
  pod.vault.asked.length = 0
  notifications.length = 0
  await pod.advance(30 * minute)
  t.strictSame(new Set(pod.vault.asked.map(({ operation }) => operation)), new Set(['list']))
  t.ok(pod.vault.asked.length < 17, 'a list for each poll')
  t.strictSame([pod.set, notifications.length, pod.events('text').length], [set, 0, 1])
})

void t.test('restart: a template with an older file than its objects fails until it is switched in', async (t) => {
  const { pod, end } = await withOldText(t)
  pod.stop()
  end()
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  pod.vault.asked.length = 0
  await pod.start()
  t.equal(failing(pod), '1')
  t.match(pod.status().texts, [{ problem: { message: /^template "url": its file is older than the objects in it/ } }])
  t.match(pod.files(), { url: 'password=db-password-1' })
  pod.annotations = { ...pod.annotations, suspend: 'false' }
  await pod.advance(5 * minute)
  t.match(pod.files(), { url: 'password=db-password-2' })
  t.equal(failing(pod), '0')
  t.match(pod.notifications.at(-1), { changed: [{ type: 'template', name: 'url' }] })
  t.equal(pod.vault.count('get'), 0)
  pod.stop()
  await pod.start()
  t.equal(failing(pod), '0')
  await pod.advance(5 * minute)
  t.equal(pod.notifications.length, 2)
})

void t.test('templates: one that recovers waits for the turn of its pod', async (t) => {
  const { pod, end } = await withOldText(t)
  pod.stop()
  let mayBegin = false
  let withdrawn = 0
  const turns = {
    ...{ ask: () => mayBegin, withdraw: () => void withdrawn++, held: undefined, switched: () => undefined },
    ...{ begin: () => Promise.resolve(), restored: () => undefined, check: () => undefined },
    ...{ refreshed: () => undefined, state: () => ({}), take: () => undefined, isUrgent: false },
    ...{ disconnected: () => undefined, served: new Map() },
    status: () => ({ state: 'none', waitingMs: 0, halts: [] }),
  }
  pod.turns = () => turns as never
  end()
  await pod.start()
  await pod.advance(10 * minute)
  t.match(pod.files(), { url: 'password=db-password-1' })
  t.equal(withdrawn, 0, 'it remains requested')
  mayBegin = true
  await pod.advance(3 * minute)
  t.match(pod.files(), { url: 'password=db-password-2' })
})
