import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { injectionLabel, workloadIdentityLabel } from '../../../shared/names.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { nodeContainer, restrictedPod } from './apps.ts'
import { apply, get, kubectl, makeNamespace } from './kubectl.ts'
import { readyPod } from './pods.ts'

/** Somebody else's webhook. */
export interface Mesh {
  /** The namespace it runs in. */
  namespace: string
  /** What a Namespace is labelled with to have its pods reviewed. */
  labels: Record<string, string>
  /** Has it asked about pods at a path of mesh.mjs; configurations run in order of their names. */
  register(name: string, path: string): Promise<void>
}

/** Runs the webhooks of mesh.mjs for as long as the test runs. */
export async function startMesh(t: Test): Promise<Mesh> {
  const namespace = await makeNamespace(t, { [injectionLabel]: 'disabled' })
  const authority = makeAuthority()
  const { cert, key } = authority.issue({ names: [`mesh.${namespace}.svc`] })
  const script = readFileSync(new URL('mesh.mjs', import.meta.url), 'utf8')
  const labels = { app: 'mesh' }
  await apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mesh', namespace },
      data: { 'mesh.mjs': script, 'tls.crt': cert, 'tls.key': key },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'mesh', namespace },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'mesh', namespace, labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { ...restrictedPod, runAsUser: 65532 },
        containers: [
          nodeContainer('mesh', ['/mesh/mesh.mjs', await pathOfInjector()], 8443, {
            volumeMounts: [{ name: 'mesh', mountPath: '/mesh' }],
          }),
        ],
        volumes: [{ name: 'mesh', configMap: { name: 'mesh' } }],
      },
    },
  )
  await readyPod(namespace, 'mesh')
  const caBundle = Buffer.from(authority.ca).toString('base64')
  return {
    namespace,
    labels: { 'akv-injector-e2e-mesh': namespace },
    async register(name, path) {
      const full = `${name}-${namespace}`
      t.teardown(() => kubectl(['delete', 'mutatingwebhookconfiguration', '--ignore-not-found', full]))
      await apply({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingWebhookConfiguration',
        metadata: { name: full, labels: { 'akv-injector-e2e': 'true' } },
        webhooks: [
          {
            name: `${name}.mesh.example.com`,
            admissionReviewVersions: ['v1'],
            clientConfig: { service: { name: 'mesh', namespace, path }, caBundle },
            failurePolicy: 'Fail',
            reinvocationPolicy: 'IfNeeded',
            sideEffects: 'None',
            namespaceSelector: { matchLabels: { 'akv-injector-e2e-mesh': namespace } },
            objectSelector: { matchLabels: { [workloadIdentityLabel]: 'true' } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
        ],
      })
    },
  }
}

/** The path at which the API server asks the injector about pods: only its registration knows it. */
async function pathOfInjector(): Promise<string> {
  interface Registration {
    webhooks: { name: string; clientConfig: { service?: { path?: string } } }[]
  }
  const { webhooks } = await get<Registration>('default', 'mutatingwebhookconfiguration', 'akv-injector')
  return webhooks.find(({ name }) => name.startsWith('inject.'))?.clientConfig.service?.path ?? ''
}
