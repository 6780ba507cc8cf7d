import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { annotationPrefix, injectionLabel, workloadIdentityLabel } from '../../shared/names.ts'

/** The parts of a pod that the demo reads; everything else is kept unchanged. */
export interface Pod {
  metadata: { uid?: string; annotations?: Record<string, string>; labels?: Record<string, string> }
  spec: { containers: Container[]; initContainers?: Container[]; volumes?: Volume[]; shareProcessNamespace?: boolean }
}
export interface Container {
  name: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: { fieldRef?: { fieldPath: string } } }[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; subPath?: string }[]
  startupProbe?: { httpGet?: { path?: string; port: number | string; scheme?: string } }
}
export interface Volume {
  name: string
  emptyDir?: { medium?: string; sizeLimit?: string }
  projected?: { sources: { serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string } }[] }
  downwardAPI?: { items: { path: string; fieldRef?: { fieldPath: string } }[] }
}

export const namespace = 'shop'
export const serviceAccount = 'shop'
export const clientId = '5a3ec1d0-0000-4000-8000-000000000001'
const template = 'shop-5d9c7bd4f9'

/** Namespace and ServiceAccount as a user would apply them. */
const objects = {
  namespaces: { [namespace]: { metadata: { name: namespace, labels: { [injectionLabel]: 'enabled' } } } },
  serviceaccounts: {
    [`${namespace}/${serviceAccount}`]: {
      metadata: {
        name: serviceAccount,
        namespace,
        annotations: { 'azure.workload.identity/client-id': clientId },
      },
    },
  },
}

/** Writes the cluster's objects as the webhook reads them where it has no API server: `<kind>/<namespace>[/<name>].yaml`. */
export function writeCluster(folder: string): void {
  for (const [kind, byName] of Object.entries(objects)) {
    for (const [name, object] of Object.entries(byName)) {
      const file = join(folder, kind, `${name}.yaml`)
      mkdirSync(join(file, '..'), { recursive: true })
      writeFileSync(file, stringify(object))
    }
  }
}

/** A pod as the ReplicaSet controller creates it, with the API server's defaults filled in. */
export function appPod(annotations: Record<string, string>, args: string[]) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${template}-`,
      namespace,
      labels: { app: 'shop', 'pod-template-hash': '5d9c7bd4f9', [workloadIdentityLabel]: 'true' },
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]),
      ),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: template,
          uid: '0b1c2d3e-0000-4000-8000-000000000002',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      containers: [
        {
          name: 'app',
          image: 'registry.example/shop:1.4.2',
          command: ['node', '/app/app.mjs'],
          args,
          resources: { requests: { cpu: '100m', memory: '64Mi' } },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: serviceAccount,
      serviceAccount,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
    },
    status: {},
  }
}

/** Returns what the API server sends to the webhook when the pod is created. */
export const admissionReview = (pod: object) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: randomUUID(),
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    requestKind: { group: '', version: 'v1', kind: 'Pod' },
    requestResource: { group: '', version: 'v1', resource: 'pods' },
    namespace,
    operation: 'CREATE',
    userInfo: {
      username: 'system:serviceaccount:kube-system:replicaset-controller',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
    },
    object: pod,
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
  },
})
