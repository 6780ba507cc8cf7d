import t, { type Test } from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod, reloading } from './support/apps.ts'
import { cutOff } from './support/emulator.ts'
import { apply, kubectl, logs } from './support/kubectl.ts'
import { getPod, isReady, logHas, readyPod, sidecarStatus, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture, type Fixture } from './support/fixture.ts'

const app = { name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') }
const reloads = (log: string): number => log.split('reloaded:').length - 1

/** Starts the app with the first values of its two secrets. */
async function startApp(t: Test): Promise<Fixture> {
  const fixture = await makeFixture(t, { user: 'user-1', 'db-password': 'password-1' })
  const { namespace, vault } = fixture
  const annotations = { vault, objects: 'user, db-password', 'poll-interval': '2s', signal: 'SIGHUP' }
  await apply(pod(namespace, 'app', { annotations, containers: [app] }))
  await readyPod(namespace, 'app')
  return fixture
}

void t.test('outage: the endpoints of the vault disappear before and during a rotation', async (t) => {
  const { namespace, emulator, vault } = await startApp(t)
  const rotate = async (count: number) => {
    await emulator.setSecret(vault, 'user', `user-${count}`)
    await emulator.setSecret(vault, 'db-password', `password-${count}`)
  }

  const inTrouble = async () => {
    const status = await eventually(
      '/status tells of it',
      async () => {
        const found = await sidecarStatus(t, namespace, 'app')
        return (found.vaults[0]?.failures ?? 0) > 1 && found
      },
      { every: 1000 },
    )
    t.match(status, {
      ready: true,
      vaults: [{ lastError: { message: /^vault kv-\w+, (list of secrets|secret [\w-]+): E[A-Z]+: / } }],
    })
    t.ok(isReady(await getPod(namespace, 'app')), 'the pod stays ready')
    t.equal(statusOf(await getPod(namespace, 'app'), sidecarContainer)?.restartCount, 0)
    const files = await kubectl([
      'exec',
      '-n',
      namespace,
      'app',
      '-c',
      'app',
      '--',
      'cat',
      '/mnt/secrets/user',
      '/mnt/secrets/db-password',
    ])
    t.equal(files, 'user-1password-1', 'the last good values stay')
  }
  const restored = await cutOff(vault, emulator)
  await inTrouble()
  await rotate(2)
  await logHas(namespace, 'app', sidecarContainer, /"event":"retry","vault":"kv-\w+","failures":[3-9]/)
  await inTrouble()
  await restored()
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')

  const healthy = await eventually(
    '/status is well again',
    async () => {
      const found = await sidecarStatus(t, namespace, 'app')
      return found.vaults[0]?.failures === 0 && found
    },
    { every: 1000 },
  )
  t.match(healthy, { stale: false, objects: [{ name: 'user', problem: undefined }, { name: 'db-password' }] })
  await rotate(3)
  await logHas(namespace, 'app', 'app', 'reloaded: password-3')
  t.equal(reloads(await logs(namespace, 'app', 'app')), 2, 'one signal for each rotation, none for the outage')
})

void t.test("outage: the sidecar's container is killed while the vault is unreachable", async (t) => {
  const { namespace, emulator, vault } = await startApp(t)
  const restored = await cutOff(vault, emulator)
  // The emulator counts the resets of its own fault, until the endpoints are removed.
  await eventually(
    'no request comes to the emulator any more',
    async () => {
      const { vaults } = await sidecarStatus(t, namespace, 'app')
      return /: E(?!CONNRESET)[A-Z]+: /.test(vaults[0]?.lastError?.message ?? '')
    },
    { every: 1000 },
  )
  const before = await emulator.counts(vault)

  // With the same user ID, in the shared process namespace.
  const ofSidecar = (process: string) => `tr "\\0" " " <${process}/cmdline | grep -q "[s]idecar.js"`
  const kill = `for process in /proc/[0-9]*; do ! ${ofSidecar('$process')} || kill -9 "$(basename $process)"; done`
  await kubectl(['exec', '-n', namespace, 'app', '-c', 'app', '--', 'sh', '-c', kill])
  const killed = Date.now()
  const restarted = await eventually(
    'the pod is ready with the new container',
    async () => {
      const found = await getPod(namespace, 'app')
      return statusOf(found, sidecarContainer)?.restartCount === 1 && isReady(found) && found
    },
    { every: 50 },
  )
  t.comment(`ready ${((Date.now() - killed) / 1000).toFixed(1)} s after the kill`)
  t.equal(statusOf(restarted, 'app')?.restartCount, 0, 'the app is left alone')
  t.match(await sidecarStatus(t, namespace, 'app'), { ready: true, stale: true, vaults: [{ lastSuccess: undefined }] })
  t.strictSame(await emulator.counts(vault), before, 'without an answer of the vault')
  t.equal(reloads(await logs(namespace, 'app', 'app')), 0, 'no change, no signal')

  await emulator.setSecret(vault, 'db-password', 'password-2')
  await restored()
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')
  t.equal(reloads(await logs(namespace, 'app', 'app')), 1)
})
