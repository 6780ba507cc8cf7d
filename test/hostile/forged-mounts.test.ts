import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import t from 'tap'
import { change } from '../sidecar/notify/fixture.ts'
import { openFolder } from '../support/open-folder.ts'
import { startPodNamespace } from '../support/pod-namespace.ts'
import { until } from '../support/until.ts'

/** Appends each signal to the file $1. */
const receiver = `trap "echo HUP >>'$1'" HUP; echo ready >>"$1"; while :; do sleep 60 & wait $!; kill $! 2>/dev/null; done`

/**
 * Ways in which a container makes its own `mountinfo` say that it is the container "app". `$1` is where it says that it is
 * done, `$2` a folder on the disk of the kubelet's, `$3` the pod's uid.
 */
const mount =
  'mkdir -p "$2/x$root" && touch "$2/x$root/forged" "$2/here" && mount -n --bind "$2/x$root/forged" "$2/here"'
const forgeries: Record<string, string> = {
  'a tmpfs': `mkdir -p "$2/x" && mount -n -t tmpfs tmpfs "$2/x" && root=/pods/$3/containers/app && ${mount}`,
  'a tmpfs whose root is the folder of the pods': `mkdir -p "$2/x" && mount -n -t tmpfs tmpfs "$2/x" && root=/$3/containers/app && ${mount}`,
  'a tmpfs with the path of the kubelet': `mkdir -p "$2/x" && mount -n -t tmpfs tmpfs "$2/x" && root=$4/pods/$3/containers/app && ${mount}`,
  "a volume on the kubelet's disk": `root=/pods/$3/containers/app && ${mount}`,
}

void t.test('hostile siblings: a forged mount does not receive the signals of the app', async (t) => {
  for (const [title, forge] of Object.entries(forgeries)) {
    for (const enter of ['', 'exec unshare --user --map-root-user --mount ']) {
      await t.test(`hostile siblings: ${title}, ${enter === '' ? 'privileged' : 'in a user namespace'}`, async (t) => {
        const pod = await startPodNamespace()
        if ('unavailable' in pod) return t.fail(pod.unavailable)
        t.teardown(() => pod.close())
        const folder = openFolder(t)
        const lines = (name: string) =>
          existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').trim().split('\n') : []

        await pod.start({ name: 'app', command: ['sh', '-c', receiver, 'sh', join(folder, 'app')] })
        await until('the app is ready', () => lines('app').length > 0)
        // After the app: of two runs of a container the later counts.
        // A user namespace cannot hide the mounts that it was given one by one.
        const attack = `${forge} || exit 1; umount -n /dev/termination-log || true; ${receiver}`
        const script = `${enter}sh -c '${attack.replaceAll("'", `'\\''`)}' sh "$1" "$2" "$3" "$4"`
        const disk = join(pod.folder, 'volume')
        const kubelet = join(pod.folder, 'kubelet')
        await pod.start({
          name: 'sibling',
          command: ['sh', '-c', script, 'sh', join(folder, 'sibling'), disk, pod.uid, kubelet],
        })
        await until('the sibling has forged', () => lines('sibling').length > 0)

        const script2 = join(import.meta.dirname, '../sidecar/notify/signal/sidecar-process.ts')
        const command = [process.execPath, script2, JSON.stringify({ signal: { name: 'SIGHUP', container: 'app' } })]
        const { process: sidecar } = await pod.start({
          name: 'akv-injector',
          command,
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        let isDelivered = false
        if (sidecar.stdout)
          createInterface(sidecar.stdout).on('line', (line) => (isDelivered ||= line.includes('"delivered":"a"')))
        sidecar.stdin?.write(`${JSON.stringify(change('a', Date.now()))}\n`)
        await until('delivered', () => isDelivered)
        await until('the app has its signal', () => lines('app').includes('HUP'))
        t.strictSame(lines('sibling'), ['ready'])
      })
    }
  }
})
