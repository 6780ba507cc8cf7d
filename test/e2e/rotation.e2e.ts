import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { deployment, reloading } from './support/apps.ts'
import { apply, logs } from './support/kubectl.ts'
import { logHas, readyPods } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

/**
 * Reads both files of one set again and again, and reports each new pair. A set that was replaced in the meantime is
 * gone.
 */
const pairs = `
old=
while :; do
  set="$(readlink /mnt/secrets/..data)"
  pair="$(cat /mnt/secrets/$set/user):$(cat /mnt/secrets/$set/db-password)"
  [ "$(readlink /mnt/secrets/..data)" = "$set" ] || continue
  [ "$pair" = "$old" ] || echo "pair $pair"
  old="$pair"
  usleep 20000 2>/dev/null || sleep 1
done`

const reloads = (log: string): number => log.split('reloaded:').length - 1

void t.test('rotation: all files are switched at once, and the entry process gets SIGHUP once', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { user: 'user-1', 'db-password': 'password-1' })
  await apply(
    deployment(namespace, 'web', 2, {
      annotations: {
        vault,
        objects: 'user, db-password',
        'poll-interval': '3s',
        signal: 'SIGHUP',
        'signal-container': 'app',
      },
      containers: [
        { name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') },
        { name: 'reader', script: pairs },
      ],
    }),
  )
  const pods = await readyPods(namespace, 'app=web', 2)
  const names = pods.map((pod) => pod.metadata.name)
  for (const name of names) {
    await logHas(namespace, name, 'app', 'start: password-1')
    await logHas(namespace, name, 'reader', 'pair user-1:password-1')
  }

  await emulator.setSecret(vault, 'user', 'user-2')
  await emulator.setSecret(vault, 'db-password', 'password-2')
  for (const name of names) {
    const log = await logHas(namespace, name, 'app', 'reloaded: password-2')
    t.equal(reloads(log), 1, 'one signal for the rotation of two secrets')
    const seen = await logHas(namespace, name, 'reader', 'pair user-2:password-2')
    t.strictSame(
      seen.split('\n').filter((line) => line.startsWith('pair')),
      ['pair user-1:password-1', 'pair user-2:password-2'],
      'no mixed set is ever seen',
    )
    t.match(await logs(namespace, name, sidecarContainer), 'delivered', 'the delivery is in the log')
  }

  const before = await asked()
  await eventually('both sidecars have asked the vault several times more', async () => (await asked()) >= before + 8)
  for (const name of names) t.equal(reloads(await logs(namespace, name, 'app')), 1, 'no change, no signal')

  async function asked(): Promise<number> {
    const counts = await emulator.counts(vault)
    return Object.values(counts).reduce((sum, count) => sum + count, 0)
  }
})
