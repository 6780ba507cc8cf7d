import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import type { Status } from '../../sidecar/report/status.ts'
import { pod, reloading, restrictedContainer } from './support/apps.ts'
import { tryApply } from './support/kubectl.ts'
import { connectSidecar, getPod, logHas } from './support/pods.ts'
import { makeTeam } from './support/fixture.ts'
import { makeNotifiedPod } from './support/notifications.ts'

const script = reloading('')
/** Every restriction except the one on the user. */
const anyUser = { seccompProfile: { type: 'RuntimeDefault' } }
/** With the image's own user, which admission cannot know. */
const image = process.env['E2E_USER_IMAGE']

const cases: {
  name: string
  pod?: object
  container?: object
  annotations?: Record<string, string>
  labels?: Record<string, string>
}[] = [
  { name: "the container's user", pod: anyUser, container: { runAsUser: 1000 } },
  { name: "the pod's user", pod: { ...anyUser, runAsUser: 2000 } },
  { name: 'root', pod: { ...anyUser, runAsUser: 0 } },
]

for (const { name, pod: context, container } of cases) {
  void t.test(`signal user: an app that runs as ${name} gets the signal`, async (t) => {
    const { namespace, rotate } = await makeNotifiedPod(t, {
      containers: [{ name: 'app', script, securityContext: { ...restrictedContainer, ...container } }],
      spec: { securityContext: context },
    })
    await logHas(namespace, 'app', 'app', 'running')
    await rotate('two')
    await logHas(namespace, 'app', 'app', 'reloaded: two')
    t.pass('the handler ran')
  })
}

void t.test('signal user: a wrong user is reported within seconds, with the annotation that fixes it', async (t) => {
  const { namespace } = await makeNotifiedPod(t, {
    containers: [{ name: 'app', image, script }],
    spec: { securityContext: anyUser },
  })
  const advice = 'azure.keyvault.injector/run-as-user: \\"4711\\"'
  t.match(await logHas(namespace, 'app', sidecarContainer, 'not-permitted', 20), advice, 'in the log')
  const ask = await connectSidecar(t, namespace, 'app')
  const metrics = await (await ask('/metrics')).text()
  t.match(metrics, 'akv_injector_sidecar_signal_permitted{outcome="not-permitted"} 0\n', 'as a metric')
  const status = (await (await ask('/status')).json()) as Status
  t.match(status.notification, {
    permission: { outcome: 'not-permitted', detail: JSON.parse(`"${advice}"`) as string },
    targets: [{ container: 'app', uid: 4711 }],
  })
})

for (const annotations of [{ 'run-as-user': '4711' }, { 'signal-permission': 'cap-kill' }]) {
  void t.test(`signal user: an image's own user gets the signal with ${Object.keys(annotations)[0]}`, async (t) => {
    const { namespace, rotate } = await makeNotifiedPod(t, {
      annotations,
      labels: { 'pod-security.kubernetes.io/enforce': 'baseline' },
      containers: [{ name: 'app', image, script }],
      spec: { securityContext: anyUser },
    })
    await logHas(namespace, 'app', 'app', 'running')
    await rotate('two')
    await logHas(namespace, 'app', 'app', 'reloaded: two')
    t.ok((await getPod(namespace, 'app')).spec.shareProcessNamespace)
  })
}

void t.test(
  'signal user: cap-kill in a namespace with restricted Pod Security is denied with that reason',
  async (t) => {
    const namespace = await makeTeam(t, { 'pod-security.kubernetes.io/enforce': 'restricted' })
    const annotations = { vault: 'my-kv', objects: 'x', signal: 'SIGHUP', 'signal-permission': 'cap-kill' }
    const denied = await tryApply([pod(namespace, 'app', { annotations, containers: [{ name: 'app', script }] })])
    t.not(denied.code, 0)
    t.match(denied.stderr, 'cap-kill')
    t.match(denied.stderr, 'restricted')
  },
)
