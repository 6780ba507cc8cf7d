import t from 'tap'
import { readFileSync } from 'node:fs'
import { injectionLabel, secretsVolume, sidecarContainer, workloadIdentityLabel } from '../../shared/names.ts'
import { makeAuthority } from '../emulator/tls.ts'
import { makeServiceAccount, pod, restrictedContainer, restrictedPod } from './support/apps.ts'
import { apply, get, kubectl, logs, makeNamespace, tryApply } from './support/kubectl.ts'
import { readyPod, type Pod } from './support/pods.ts'
import { eventually } from './support/process.ts'

interface Captured {
  request: { request: { uid: string; object: Pod } }
  response: { response: { uid: string; allowed: boolean; patch?: string } }
}

const registration = (name: string, namespace: string, path: string, ca: string): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: `${name}-${namespace}`, labels: { 'akv-injector-e2e': 'true' } },
  webhooks: [
    {
      name: `${name}.mesh.example.com`,
      admissionReviewVersions: ['v1'],
      clientConfig: { service: { name: 'mesh', namespace, path }, caBundle: Buffer.from(ca).toString('base64') },
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded',
      sideEffects: 'None',
      namespaceSelector: { matchLabels: { 'akv-injector-e2e-mesh': namespace } },
      objectSelector: { matchLabels: { [workloadIdentityLabel]: 'true' } },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    },
  ],
})

void t.test('a mesh that adds a container after us: our second answer is an empty patch', async (t) => {
  // What stands between the API server and our webhook here, and is the mesh too: it records both sides of every review.
  const mesh = await makeNamespace(t, { [injectionLabel]: 'disabled' })
  const namespace = await makeNamespace(t, { [injectionLabel]: 'captured', 'akv-injector-e2e-mesh': mesh })
  await makeServiceAccount(namespace)
  const authority = makeAuthority()
  const { cert, key } = authority.issue({ names: [`mesh.${mesh}.svc`] })
  const script = readFileSync(new URL('support/mesh.mjs', import.meta.url), 'utf8')
  const labels = { app: 'mesh' }
  await apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mesh', namespace: mesh },
      data: { 'mesh.mjs': script, 'tls.crt': cert, 'tls.key': key },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'mesh', namespace: mesh },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'mesh', namespace: mesh, labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { ...restrictedPod, runAsUser: 65532 },
        containers: [
          {
            name: 'mesh',
            image: process.env['E2E_IMAGE'],
            imagePullPolicy: 'IfNotPresent',
            args: ['/mesh/mesh.mjs'],
            securityContext: restrictedContainer,
            readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
            volumeMounts: [{ name: 'mesh', mountPath: '/mesh' }],
          },
        ],
        volumes: [{ name: 'mesh', configMap: { name: 'mesh' } }],
      },
    },
  )
  await readyPod(mesh, 'mesh')
  const names = [`a-capture-${mesh}`, `z-mesh-${mesh}`]
  t.teardown(() => kubectl(['delete', 'mutatingwebhookconfiguration', '--ignore-not-found', ...names]))
  await apply(
    registration('a-capture', mesh, '/capture', authority.ca),
    registration('z-mesh', mesh, '/mesh', authority.ca),
  )

  const asking = (name: string): object =>
    pod(namespace, name, {
      annotations: { vault: 'my-kv', objects: 'db-password', signal: 'SIGHUP', 'signal-container': 'app' },
      containers: [{ name: 'app', script: 'while :; do sleep 1; done' }],
    })
  // The Service's rules follow a moment after its pod is ready.
  await eventually('the mesh answers', async () => (await tryApply([asking('probe')], '--dry-run=server')).code === 0)
  await apply(asking('app'))
  const created = await get<Pod>(namespace, 'pod', 'app')
  const captured = (await logs(mesh, 'mesh', 'mesh'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Captured)
    .filter(({ request }) => request.request.object.metadata.name === 'app')
  t.equal(captured.length, 2, 'the API server asked us twice')
  const [first, second] = captured
  t.ok(first?.response.response.patch, 'the first answer is a patch')
  t.ok(
    second?.request.request.object.spec.containers.some(({ name }) => name === 'proxy'),
    "the second review has the mesh's container",
  )
  t.equal(second?.response.response.allowed, true)
  t.equal(second?.response.response.patch, undefined, 'the second answer has no patch')

  const proxy = created.spec.containers.find(({ name }) => name === 'proxy')
  t.ok(proxy, 'the created pod has the container that the mesh added')
  t.notOk(
    proxy?.volumeMounts?.some(({ name }) => name === secretsVolume),
    'it has no mount of ours',
  )
  t.equal(created.spec.initContainers?.filter(({ name }) => name === sidecarContainer).length, 1, 'one sidecar')
})
