import t from 'tap'
import { reloading } from './support/apps.ts'
import { logs } from './support/kubectl.ts'
import { logHas } from './support/pods.ts'
import { makeNotifiedPod } from './support/notifications.ts'

/**
 * Runs in a privileged container: in its own mount namespace, a row of `mountinfo` for a file on a tmpfs says what the kubelet's row
 * says of the container "app", and the row that says what the container is goes away. Afterwards it takes signals.
 */
const forger = `set -e
own=$(grep ' /dev/termination-log ' /proc/self/mountinfo | awk '{print $4}')
root=/scratch$(echo "$own" | sed 's,/containers/forger/,/containers/app/,')
mkdir -p /scratch /tmp
mount -t tmpfs tmpfs /scratch
mkdir -p "$(dirname "$root")"
touch "$root" /tmp/here
mount --bind "$root" /tmp/here
umount /dev/termination-log
grep -o '[^ ]*/containers/[^ ]*' /proc/self/mountinfo | sed 's/^/row: /'
trap 'echo stolen' HUP
trap 'exit 0' TERM
echo forged
while :; do sleep 1 & wait $!; done`

void t.test('forged mounts: a privileged sibling does not receive the signals of the app', async (t) => {
  const root = { privileged: true, runAsUser: 0, runAsNonRoot: false }
  const { namespace, rotate, delivered } = await makeNotifiedPod(t, {
    annotations: { 'signal-container': 'app', 'signal-permission': 'cap-kill' },
    // The app comes first: of two runs of a container, the later one counts.
    containers: [
      { name: 'app', script: reloading('') },
      { name: 'forger', script: forger, securityContext: root },
    ],
  })
  await logHas(namespace, 'app', 'app', 'running')
  const log = await logHas(namespace, 'app', 'forger', 'forged')
  t.match(log, /row: .*\/pods\/[0-9a-f-]+\/containers\/app\//, 'the row is there')
  await rotate('two')
  await logHas(namespace, 'app', 'app', 'reloaded: two')
  await delivered()
  t.notMatch(await logs(namespace, 'app', 'forger'), 'stolen')
})
