import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'
import { podWith, type TestPod } from '../../support/sidecar-pod.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const three = ['db-user', 'db-password', 'api-key']

/** The time of the switch whose notification is pending, and the time at which it is due, as in the volume. */
function notificationIn({ mount }: TestPod): { switchedAt: number; dueAt: number } {
  const { notification } = JSON.parse(readFileSync(join(mount, '..data/..manifest.json'), 'utf8')) as Manifest
  const { switchedAt = NaN, dueAt = NaN } = notification ?? {}
  return { switchedAt, dueAt }
}

void t.test('restart: the set of a previous process is served if it fits the settings', async (t) => {
  await t.test('restart: the previous set is served at once, and marked stale if the vault is down', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.vault.fault = () => ({ kind: 'network' })
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined)
    t.match(pod.status(), { ready: true, stale: true })
    t.match(pod.sidecar?.metrics(), /sidecar_stale 1/)
    await pod.advance(hour)
    t.equal(pod.end, undefined, 'nothing makes it exit')
    pod.vault.fault = () => undefined
    await pod.advance(5 * minute)
    t.match(pod.status(), { ready: true, stale: false })
    t.strictSame(pod.notifications, [])
  })
  await t.test('restart: confirming the previous set costs one request', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.vault.asked.length = 0
    await pod.start()
    t.strictSame(
      pod.vault.asked.map(({ operation }) => operation),
      ['list'],
    )
    t.match(pod.status(), { stale: false })
  })
  await t.test('restart: a set that changed while no process ran is notified', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(minute)
    await pod.start()
    t.equal(pod.files()['api-key'], 'api-key-2')
    t.equal(pod.notifications.length, 1)
  })
  await t.test('restart: the deadline of a splay is kept', async (t) => {
    const pod = await podWith(t, three, { notify: { splay: 5 * minute } })
    await pod.start()
    pod.appListens = false
    pod.random = () => 0.25
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(5 * minute)
    const { switchedAt, dueAt } = notificationIn(pod)
    t.equal(dueAt - switchedAt, 75_000, 'a draw of its own for each change')
    for (const draw of [0.5, 0.75]) {
      pod.random = () => draw
      pod.stop()
      await pod.start()
      await pod.advance(minute)
      t.strictSame(notificationIn(pod), { switchedAt, dueAt })
    }
    pod.stop()
    pod.appListens = true
    await pod.start()
    t.match(pod.notifications, [{ switchedAt, dueAt }])
  })
  await t.test('restart: the previous set is not served if the settings differ', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.settings.fileMode = 0o400
    pod.vault.fault = () => ({ kind: 'network' })
    await pod.start()
    t.match(pod.sidecar?.notReady(), /waiting/)
    pod.vault.fault = () => undefined
    await pod.advance(minute)
    t.equal(pod.sidecar?.notReady(), undefined)
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(5 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('restart: a previous set that lacks a file is not served', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    const { rmSync } = await import('node:fs')
    rmSync(`${pod.mount}/..data/api-key`)
    pod.vault.fault = () => ({ kind: 'network' })
    await pod.start()
    t.match(pod.sidecar?.notReady(), /waiting/)
    pod.vault.fault = () => undefined
    await pod.advance(minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
})
