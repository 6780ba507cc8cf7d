import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { injectionLabel, workloadIdentityLabel } from '../../../shared/names.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { nodeContainer, restrictedPod } from './apps.ts'
import { apply, get, kubectl, makeNamespace } from './kubectl.ts'
import { readyPod } from './pods.ts'

/** A webhook of another project. */
export interface Mesh {
  /** The namespace of its pod. */
  namespace: string
  /** The label of a Namespace whose pods it reviews. */
  labels: Record<string, string>
  /** Registers it for pods at a path of mesh.mjs; registrations are called in the order of their names. Returns how to end that. */
  register(name: string, path: string, reinvocationPolicy?: 'IfNeeded' | 'Never'): Promise<() => Promise<unknown>>
}

/** Runs the webhooks of mesh.mjs while the test runs. */
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
    async register(name, path, reinvocationPolicy = 'IfNeeded') {
      const full = `${name}-${namespace}`
      const end = () => kubectl(['delete', 'mutatingwebhookconfiguration', '--ignore-not-found', full])
      t.teardown(end)
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
            reinvocationPolicy,
            sideEffects: 'None',
            namespaceSelector: { matchLabels: { 'akv-injector-e2e-mesh': namespace } },
            objectSelector: { matchLabels: { [workloadIdentityLabel]: 'true' } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
        ],
      })
      return end
    },
  }
}

/** Returns the path at which the API server calls the injector for pods: only its registration contains it. */
async function pathOfInjector(): Promise<string> {
  interface Registration {
    webhooks: { name: string; clientConfig: { service?: { path?: string } } }[]
  }
  const { webhooks } = await get<Registration>('default', 'mutatingwebhookconfiguration', 'akv-injector')
  return webhooks.find(({ name }) => name.startsWith('inject.'))?.clientConfig.service?.path ?? ''
}
