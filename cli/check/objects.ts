/** The fields of Kubernetes objects that the checks read. */

export interface Named {
  metadata: {
    name: string
    namespace?: string
    creationTimestamp?: string
    deletionTimestamp?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
}

export interface Container {
  name: string
  image?: string
  args?: string[]
  env?: { name: string; value?: string }[]
  volumeMounts?: { name: string; mountPath: string }[]
}

export interface Volume {
  name: string
  configMap?: { name?: string }
  secret?: { secretName?: string }
}

export interface PodSpec {
  serviceAccountName?: string
  initContainers?: Container[]
  containers?: Container[]
  volumes?: Volume[]
}

export interface Deployment extends Named {
  spec: { replicas?: number; template: { spec: PodSpec } }
  status?: { availableReplicas?: number; updatedReplicas?: number }
}

interface Ended {
  exitCode?: number
  reason?: string
  message?: string
}

export interface ContainerStatus {
  name: string
  ready?: boolean
  restartCount?: number
  state?: { running?: object; waiting?: { reason?: string; message?: string }; terminated?: Ended }
  lastState?: { terminated?: Ended }
}

export interface Pod extends Named {
  spec: PodSpec
  status?: {
    phase?: string
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
    initContainerStatuses?: ContainerStatus[]
    containerStatuses?: ContainerStatus[]
  }
}

export interface Entry {
  name: string
  failurePolicy?: string
  clientConfig: { caBundle?: string; service?: { name: string; namespace: string; path?: string } }
  namespaceSelector?: { matchLabels?: Record<string, string> }
}

export interface WebhookConfiguration extends Named {
  webhooks?: Entry[] | null
}

const metadata = { name: true, namespace: true, creationTimestamp: true, labels: true } as const
const containerFields = { name: true, image: true } as const
const stateFields = {
  running: true,
  waiting: true,
  terminated: { exitCode: true, reason: true, message: true },
} as const
const statusFields = {
  name: true,
  ready: true,
  restartCount: true,
  state: stateFields,
  lastState: stateFields,
} as const

/** Values of variables are read of the injector's own containers only. */
export const deploymentFields = { metadata, spec: true, status: true } as const

export const podFields = {
  metadata: { ...metadata, annotations: { 'azure.keyvault.injector/*': true, 'kubernetes.io/config.mirror': true } },
  spec: { initContainers: containerFields, containers: containerFields },
  status: {
    phase: true,
    conditions: true,
    initContainerStatuses: statusFields,
    containerStatuses: statusFields,
  },
} as const

export const configurationFields = { metadata: { name: true, creationTimestamp: true }, webhooks: true } as const
export const namespaceFields = { metadata } as const
