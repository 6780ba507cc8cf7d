import { Type, type Static, type TOptional, type TSchema, type TString } from 'typebox'
import { Compile } from 'typebox/compile'
import { Settings as TypeboxSettings } from 'typebox/system'
import { workloadIdentityLabel } from '../../shared/names.ts'
import { fail, ok, type Result } from '../../shared/result.ts'

/**
 * Labels that tell a node's operating system.
 * {@link https://kubernetes.io/docs/reference/labels-annotations-taints/} {@link https://learn.microsoft.com/azure/aks/use-labels}
 */
export const nodeLabels = [
  'kubernetes.io/os',
  'beta.kubernetes.io/os',
  'kubernetes.azure.com/os-sku',
  'node.kubernetes.io/windows-build',
] as const

/** On the pods of a Deployment: the end of the name of their ReplicaSet. */
export const revisionLabel = 'pod-template-hash'

/** Clients may write null for an absent field. */
const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** Optional texts under names that are known: a pod may have any number of others, which would take a while to check. */
const textsAt = <Name extends string>(...names: Name[]) =>
  Type.Object(
    Object.fromEntries(names.map((name) => [name, Type.Optional(Type.String())])) as Record<Name, TOptional<TString>>,
  )

/** The fields of a pod that the webhook reads; all others are kept unchanged. */
const Quantity = Type.Optional(Type.Union([Type.String(), Type.Number()]))
const Quantities = Type.Object({ cpu: Quantity, memory: Quantity, 'ephemeral-storage': Quantity })
const Resources = Type.Object({ requests: Type.Optional(Quantities), limits: Type.Optional(Quantities) })
const Exec = Type.Object({ command: Type.Optional(Type.Array(Type.String())) })
const ProbePort = Type.Union([Type.Integer(), Type.String()])
const ProbeHeader = Type.Object({ name: Type.String(), value: Type.Optional(Type.String()) })
const Probe = Type.Object({
  exec: nullable(Exec),
  httpGet: nullable(
    Type.Object({
      path: Type.Optional(Type.String()),
      port: ProbePort,
      host: Type.Optional(Type.String()),
      scheme: Type.Optional(Type.String()),
      httpHeaders: nullable(Type.Array(ProbeHeader)),
    }),
  ),
  tcpSocket: nullable(Type.Object({ port: ProbePort, host: Type.Optional(Type.String()) })),
  grpc: nullable(Type.Object({})),
  periodSeconds: nullable(Type.Integer()),
  timeoutSeconds: nullable(Type.Integer()),
})
const Hook = Type.Object({ exec: Type.Optional(Exec) })

const VolumeMount = Type.Object({
  name: Type.String(),
  mountPath: Type.String(),
  readOnly: Type.Optional(Type.Boolean()),
  subPath: Type.Optional(Type.String()),
  subPathExpr: Type.Optional(Type.String()),
  mountPropagation: Type.Optional(Type.String()),
})
const Capabilities = Type.Object({
  add: nullable(Type.Array(Type.String())),
  drop: nullable(Type.Array(Type.String())),
})
const SecurityContext = Type.Object({
  privileged: Type.Optional(Type.Boolean()),
  runAsUser: Type.Optional(Type.Integer()),
  runAsGroup: Type.Optional(Type.Integer()),
  fsGroup: Type.Optional(Type.Integer()),
  supplementalGroups: nullable(Type.Array(Type.Integer())),
  capabilities: nullable(Capabilities),
  windowsOptions: nullable(Type.Object({})),
})
const NodeExpression = Type.Object({
  key: nullable(Type.String()),
  operator: nullable(Type.String()),
  values: nullable(Type.Array(Type.String())),
})
const NodeSelectorTerm = Type.Object({ matchExpressions: nullable(Type.Array(NodeExpression)) })
const NodeAffinity = Type.Object({
  requiredDuringSchedulingIgnoredDuringExecution: nullable(
    Type.Object({ nodeSelectorTerms: nullable(Type.Array(NodeSelectorTerm)) }),
  ),
})
const EnvVar = Type.Object({
  name: Type.String(),
  value: Type.Optional(Type.String()),
  valueFrom: Type.Optional(Type.Unknown()),
})
const Container = Type.Object({
  name: Type.String(),
  image: Type.Optional(Type.String()),
  args: Type.Optional(Type.Array(Type.String())),
  env: Type.Optional(Type.Array(EnvVar)),
  ports: Type.Optional(
    Type.Array(Type.Object({ name: Type.Optional(Type.String()), containerPort: Type.Optional(Type.Integer()) })),
  ),
  resources: Type.Optional(Resources),
  volumeMounts: Type.Optional(Type.Array(VolumeMount)),
  volumeDevices: Type.Optional(Type.Array(Type.Object({ devicePath: Type.Optional(Type.String()) }))),
  terminationMessagePath: nullable(Type.String()),
  securityContext: Type.Optional(SecurityContext),
  restartPolicy: Type.Optional(Type.String()),
  lifecycle: Type.Optional(Type.Object({ preStop: Type.Optional(Hook), postStart: Type.Optional(Hook) })),
  livenessProbe: Type.Optional(Probe),
  readinessProbe: Type.Optional(Probe),
  startupProbe: Type.Optional(Probe),
})
const OwnerReference = Type.Object({
  apiVersion: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String()),
  controller: Type.Optional(Type.Boolean()),
})
const Pod = Type.Object({
  metadata: Type.Optional(
    Type.Object({
      name: Type.Optional(Type.String()),
      generateName: Type.Optional(Type.String()),
      namespace: Type.Optional(Type.String()),
      labels: Type.Optional(textsAt(workloadIdentityLabel, revisionLabel)),
      annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
      ownerReferences: Type.Optional(Type.Array(OwnerReference)),
    }),
  ),
  spec: Type.Object({
    // Go encodes an empty list as null if it is not optional.
    containers: Type.Optional(Type.Union([Type.Array(Container), Type.Null()])),
    initContainers: Type.Optional(Type.Array(Container)),
    ephemeralContainers: Type.Optional(Type.Array(Container)),
    volumes: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String(),
          emptyDir: Type.Optional(Type.Unknown()),
          projected: Type.Optional(Type.Unknown()),
          downwardAPI: Type.Optional(Type.Unknown()),
          hostPath: Type.Optional(Type.Unknown()),
          configMap: Type.Optional(Type.Unknown()),
        }),
      ),
    ),
    imagePullSecrets: Type.Optional(Type.Array(Type.Object({ name: Type.Optional(Type.String()) }))),
    securityContext: Type.Optional(SecurityContext),
    resources: Type.Optional(Resources),
    serviceAccountName: Type.Optional(Type.String()),
    serviceAccount: Type.Optional(Type.String()),
    restartPolicy: Type.Optional(Type.String()),
    hostNetwork: Type.Optional(Type.Boolean()),
    hostPID: Type.Optional(Type.Boolean()),
    shareProcessNamespace: Type.Optional(Type.Boolean()),
    nodeSelector: Type.Optional(textsAt(...nodeLabels)),
    affinity: nullable(Type.Object({ nodeAffinity: nullable(NodeAffinity) })),
    automountServiceAccountToken: nullable(Type.Boolean()),
    os: Type.Optional(Type.Object({ name: Type.Optional(Type.String()) })),
  }),
})

export type Pod = Static<typeof Pod>
export type Container = Static<typeof Container>
export type NodeExpression = Static<typeof NodeExpression>
export type VolumeMount = Static<typeof VolumeMount>
export type Volume = NonNullable<Pod['spec']['volumes']>[number]

const compiled = Compile(Pod)

/** Limit of the errors found in one pod: each takes a while to find, and a client can send any number of them. */
const mostErrors = 50

function fewErrors(value: unknown) {
  const { maxErrors } = TypeboxSettings.Get()
  TypeboxSettings.Set({ maxErrors: mostErrors })
  try {
    return compiled.Errors(value)
  } finally {
    TypeboxSettings.Set({ maxErrors })
  }
}

/** Checks that the fields of a pod match the Kubernetes API. Nothing is coerced or removed. */
export function readPod(value: unknown): Result<Pod> {
  if (compiled.Check(value)) return ok(value)
  return fail(...fewErrors(value).map(({ instancePath, message }) => `pod${instancePath}: ${message}`))
}

export const appContainers = (pod: Pod): Container[] => pod.spec.containers ?? []
export const initContainers = (pod: Pod): Container[] => pod.spec.initContainers ?? []
export const allContainers = (pod: Pod): Container[] => [...initContainers(pod), ...appContainers(pod)]
const defaultContainerAnnotation = 'kubectl.kubernetes.io/default-container'

/** The container that `kubectl` takes if none is named; undefined if it is not one of `candidates`. */
export const defaultContainer = (pod: Pod, candidates: readonly Container[]): Container | undefined =>
  candidates.find(({ name }) => name === pod.metadata?.annotations?.[defaultContainerAnnotation]) ??
  (candidates.length === 1 ? candidates[0] : undefined)

export const isNativeSidecar = (container: Container): boolean => container.restartPolicy === 'Always'

/** Returns the name of the ServiceAccount that the pod runs as. */
export const serviceAccountName = ({ spec }: Pod): string => spec.serviceAccountName || spec.serviceAccount || 'default'

/** Returns the pod with some fields of its `spec` replaced, or removed if undefined. */
export function withSpec(pod: Pod, changes: { [K in keyof Pod['spec']]?: Pod['spec'][K] | undefined }): Pod {
  const spec: Record<string, unknown> = { ...pod.spec, ...changes }
  for (const [field, value] of Object.entries(spec)) if (value === undefined) delete spec[field]
  return { ...pod, spec: spec }
}
