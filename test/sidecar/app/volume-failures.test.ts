import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'

const second = 1_000
const minute = 60 * second
const three = ['db-user', 'db-password', 'api-key']

void t.test('failures: a volume that cannot be written keeps the old set', async (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  await t.test(
    'failures: a volume that cannot be written keeps the old set, is reported, and is retried',
    async (t) => {
      const pod = await podWith(t, three)
      let isFull = false
      pod.wrapVolume = (volume) => {
        const { switchTo } = volume
        volume.switchTo = async (...args) => (isFull ? Promise.reject(full) : switchTo.apply(volume, args))
        return volume
      }
      await pod.start()
      await pod.advance(5 * minute)
      isFull = true
      pod.vault.set('api-key', 'api-key-2')
      await pod.advance(10 * minute)
      t.match(pod.status().vaults, [{ failures: Number }])
      t.ok((pod.status().vaults[0]?.failures ?? 0) > 5, 'sooner than at the next poll')
      t.equal(pod.files()['api-key'], 'api-key-1')
      t.match(pod.status().volumeProblem, { message: /ENOSPC/ })
      t.match(pod.sidecar?.metrics(), /switches_total\{outcome="failed"\}/)
      t.equal(
        pod.vault.asked.filter(({ operation, name }) => operation === 'get' && name === 'api-key').length <= 4,
        true,
      )
      t.equal(pod.end, undefined)
      isFull = false
      await pod.advance(5 * minute)
      t.equal(pod.files()['api-key'], 'api-key-2')
      t.equal(pod.status().volumeProblem, undefined)
      t.equal(pod.notifications.length, 1)
    },
  )
  await t.test('failures: a volume that cannot be written at the start is retried until startup-timeout', async (t) => {
    const pod = await podWith(t, three)
    pod.wrapVolume = (volume) => Object.assign(volume, { switchTo: () => Promise.reject(full) })
    await pod.start()
    await pod.advance(6 * minute)
    t.match(pod.end, { code: 1, reason: /the volume: ENOSPC/ })
  })
  await t.test(
    'failures: a volume that cannot be read at the start still gets its pending notification sent',
    async (t) => {
      const pod = await podWith(t, three)
      await pod.start()
      await pod.advance(5 * minute)
      pod.appListens = false
      pod.vault.set('api-key', 'api-key-2')
      await pod.advance(5 * minute)
      pod.stop()
      pod.appListens = true
      pod.wrapVolume = (volume) => {
        const { read } = volume
        let reads = 0
        volume.read = async () => (reads++ === 0 ? Promise.reject(new Error('EIO')) : read.call(volume))
        return volume
      }
      await pod.start()
      await pod.advance(5 * minute)
      t.match(pod.events('volume'), [{ msg: /could not read the volume: EIO/ }])
      t.match(pod.notifications, [{ changed: [{ name: 'api-key' }] }])
    },
  )
  await t.test('failures: a volume whose contents are gone is filled again', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    const { readdirSync, rmSync } = await import('node:fs')
    for (const name of readdirSync(pod.mount)) rmSync(`${pod.mount}/${name}`, { recursive: true })
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(10 * minute)
    t.strictSame(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-1', 'api-key': 'api-key-2' })
  })
})
