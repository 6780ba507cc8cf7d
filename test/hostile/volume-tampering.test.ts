import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import { podWith, type TestPod } from '../support/sidecar-pod.ts'
import { objectOf } from '../support/settings.ts'

/** Few polls, so that virtual time costs little. */
const periods = { pollInterval: 120_000, fullRefresh: 300_000 }
const fullRefresh = periods.fullRefresh
/** As an app of the sidecar's user finds them, through `/proc/<pid>/root`. */
const current = ({ mount }: TestPod): string => join(mount, readlinkSync(join(mount, '..data')))

function overwrite(path: string, text: string): void {
  chmodSync(path, 0o644)
  writeFileSync(path, text)
  chmodSync(path, 0o444)
}

const replaced = (path: string, make: () => void): void => {
  rmSync(path, { recursive: true })
  make()
}

function rewriteManifest(pod: TestPod, change: (manifest: { files: object }) => object): void {
  const path = join(current(pod), '..manifest.json')
  overwrite(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as { files: object })))
}

const attacks: Record<string, (pod: TestPod, outside: string) => void> = {
  'a value is overwritten': (pod) => overwrite(join(current(pod), 'db-password'), 'forged'),
  'a value of the same length': (pod) => overwrite(join(current(pod), 'db-password'), 'db-password-2'),
  'a template is overwritten': (pod) => overwrite(join(current(pod), 'conf/app.ini'), 'forged'),
  'a file is removed': (pod) => unlinkSync(join(current(pod), 'pinned')),
  'the permission bits of a file': (pod) => chmodSync(join(current(pod), 'db-password'), 0o666),
  'a file is added': (pod) => writeFileSync(join(current(pod), 'conf/more'), 'forged'),
  'a link in place of a file': (pod, outside) =>
    replaced(join(current(pod), 'db-password'), () =>
      symlinkSync(join(outside, 'token'), join(current(pod), 'db-password')),
    ),
  'a link in place of a folder': (pod, outside) =>
    replaced(join(current(pod), 'conf'), () => symlinkSync(outside, join(current(pod), 'conf'))),
  'a pipe in place of a file': (pod) =>
    replaced(join(current(pod), 'db-password'), () => execFileSync('mkfifo', [join(current(pod), 'db-password')])),
  'the whole set is removed': (pod) => rmSync(current(pod), { recursive: true }),
  '..data leads elsewhere': (pod, outside) =>
    replaced(join(pod.mount, '..data'), () => symlinkSync(outside, join(pod.mount, '..data'))),
  'a name leads elsewhere': (pod, outside) =>
    replaced(join(pod.mount, 'db-password'), () => symlinkSync(join(outside, 'token'), join(pod.mount, 'db-password'))),
  'a folder in place of a name': (pod) =>
    replaced(join(pod.mount, 'db-password'), () => mkdirSync(join(pod.mount, 'db-password/x'), { recursive: true })),
  'the manifest names files elsewhere': (pod) =>
    rewriteManifest(pod, (manifest) => ({
      ...manifest,
      files: { ...manifest.files, '../../x': 292 },
      objects: { 0: ['../../x'] },
    })),
}

for (const [title, attack] of Object.entries(attacks)) {
  void t.test(`hostile app: ${title}, and the next full refresh restores the volume`, async (t) => {
    const outside = t.testdir({ token: 'a token of the sidecar', 'app.ini': 'not in the volume' })
    const pod = await podWith(t, ['db-password', 'other-kv:api-key', 'pinned'], {
      templates: { 'conf/app.ini': 'password = {{ secrets["db-password"] }}' },
      ...periods,
    })
    pin(pod, 'pinned')
    await pod.start()
    await pod.advance(60_000)
    const [files, told] = [pod.files(), pod.notifications.length]
    await pod.advance(fullRefresh + 180_000)
    t.strictSame(pod.events('volume-tampered'), [], 'a calm refresh finds nothing')
    t.equal(pod.notifications.length, told)

    attack(pod, outside)
    await pod.advance(fullRefresh + 180_000)
    t.strictSame(pod.files(), files)
    t.match(pod.events('volume-tampered'), [{ level: 'error' }])
    t.match(pod.sidecar?.metrics(), /volume_tampered_total 1\n/)
    t.match(pod.status().tampered, { at: /^\d{4}/ })
    t.notMatch(JSON.stringify([pod.lines, pod.status()]), /forged|token of/, 'no content is said')
    t.strictSame(readdirSync(outside).sort(), ['app.ini', 'token'], 'nothing is written through a link')
    t.equal(readFileSync(join(outside, 'token'), 'utf8'), 'a token of the sidecar')
    t.notOk(existsSync(join(pod.mount, '../x')))
    await pod.advance(2 * fullRefresh)
    t.equal(pod.events('volume-tampered').length, 1, 'and is content afterwards')
  })
}

void t.test('hostile app: files that were changed before a restart of the sidecar are restored', async (t) => {
  const history = objectOf('old-keys', { history: 2, path: 'old' })
  const pod = await podWith(t, ['db-password', 'api-key', 'pinned', history], periods)
  for (const name of ['pinned', 'old-keys']) pin(pod, name)
  await pod.start()
  await pod.advance(60_000)
  const files = pod.files()
  t.strictSame(Object.keys(files).sort(), ['api-key', 'db-password', 'old/0', 'old/1', 'pinned'])
  for (const path of Object.keys(files)) overwrite(join(current(pod), path), 'forged')
  pod.stop()
  await pod.start()
  await pod.advance(fullRefresh + 180_000)
  t.strictSame(pod.files(), files)
  const { length } = pod.vault.asked
  await pod.advance(fullRefresh)
  t.notOk(
    pod.vault.asked.slice(length).some(({ name }) => name === 'pinned'),
    'a pinned version is read once more only',
  )
})

void t.test('hostile app: an optional object that exists is restored, and the app is notified', async (t) => {
  const pod = await podWith(t, ['db-password', objectOf('extra', { optional: true })], periods)
  pin(pod, 'extra')
  await pod.start()
  await pod.advance(60_000)
  const files = pod.files()
  overwrite(join(current(pod), 'extra'), 'forged')
  await pod.advance(fullRefresh + 180_000)
  t.strictSame(pod.files(), files)
  t.match(pod.notifications, [{ changed: [{ name: 'extra' }] }])
})

void t.test('hostile app: tampering while the vault is down counts once and is repaired afterwards', async (t) => {
  const pod = await podWith(t, ['db-password', 'api-key'], periods)
  await pod.start()
  await pod.advance(60_000)
  const files = pod.files()
  pod.vault.fault = () => ({ kind: 'unavailable' })
  overwrite(join(current(pod), 'db-password'), 'forged')
  await pod.advance(2 * fullRefresh)
  t.equal(pod.files()['db-password'], 'forged', 'what is right is not known')
  pod.vault.fault = () => undefined
  await pod.advance(fullRefresh)
  t.strictSame(pod.files(), files)
  t.equal(pod.events('volume-tampered').length, 1)
})

void t.test('volume: the group that a kubelet gives to the files is not tampering', async (t) => {
  const pod = await podWith(t, ['db-password'], { ...periods, fileMode: 0o440 })
  await pod.start()
  await pod.advance(60_000)
  chmodSync(join(current(pod), 'db-password'), 0o660)
  const { set } = pod
  await pod.advance(fullRefresh + 180_000)
  t.strictSame(pod.events('volume-tampered'), [])
  t.equal(pod.set, set)
})

const forgedStarts: Record<string, (pod: TestPod, outside: string) => void> = {
  'names files elsewhere': (pod) => attacks['the manifest names files elsewhere']?.(pod, ''),
  'asks for files that run as their owner': (pod) =>
    rewriteManifest(pod, (manifest) => ({ ...manifest, files: { 'db-password': 0o4755 } })),
  'lies in a folder elsewhere': (pod, outside) => {
    const folder = current(pod)
    cpSync(folder, outside, { recursive: true })
    overwrite(join(outside, 'db-password'), 'forged')
    replaced(folder, () => symlinkSync(outside, folder))
  },
}

for (const [title, attack] of Object.entries(forgedStarts)) {
  void t.test(`hostile app: a manifest that ${title} is not trusted at the start`, async (t) => {
    const outside = t.testdir({})
    const pod = await podWith(t, ['db-password'], {})
    await pod.start()
    await pod.advance(60_000)
    const files = pod.files()
    attack(pod, outside)
    pod.stop()
    await pod.start()
    t.strictSame(pod.events('serving'), [])
    await pod.advance(60_000)
    t.strictSame(pod.files(), files)
    t.equal(statSync(join(pod.mount, 'db-password')).mode & 0o7777, 0o444)
    t.notOk(existsSync(join(pod.mount, '../x')))
  })
}

const forgedParts: Record<string, (manifest: object) => object> = {
  'a notification without its fields': (manifest) => ({ ...manifest, notification: { id: 'x' } }),
  'a notification with endless changes': (manifest) => ({
    ...manifest,
    notification: { id: 'x', switchedAt: 1, dueAt: 1, changed: Array.from({ length: 100_000 }, () => ({})) },
  }),
  'a record without its fields': (manifest) => {
    const { sources } = manifest as { sources: object }
    return { ...manifest, sources: Object.fromEntries(Object.keys(sources).map((key) => [key, {}])) }
  },
}

for (const [title, forge] of Object.entries(forgedParts)) {
  void t.test(`hostile app: ${title} at the start stops neither changes nor the status`, async (t) => {
    const pod = await podWith(t, ['db-password', 'api-key'], periods)
    await pod.start()
    await pod.advance(60_000)
    pod.appListens = false
    rewriteManifest(pod, forge)
    overwrite(join(current(pod), 'db-password'), 'forged')
    pod.stop()
    pod.vault.set('api-key', 'api-key-2')
    await pod.start()
    await pod.advance(fullRefresh + 180_000)
    t.strictSame(pod.files(), { 'db-password': 'db-password-1', 'api-key': 'api-key-2' })
    t.strictSame([...pod.events('defect'), ...pod.events('switch-failed')], [])
    t.match(pod.status(), { objects: [{ version: String }, { version: String }], notification: { pending: {} } })
    const changed = pod.status().notification.pending?.changed ?? []
    t.strictSame(changed.map(({ name }) => name).toSorted(), ['api-key', 'db-password'])
  })
}

/** Pins an object to the version that its vault has. */
function pin({ settings, vault }: TestPod, name: string): void {
  settings.objects = settings.objects.map((object) =>
    object.name === name ? { ...object, version: vault.set(name, `${name}-1`) } : object,
  )
}
