import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Settings as TypeboxSettings } from 'typebox/system'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'

/** A client may write null for what is absent. */
const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** What is read of a pod; every other field is carried along unseen. */
const Texts = Type.Record(Type.String(), Type.String())
const Quantities = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()]))
const Resources = Type.Object({ requests: Type.Optional(Quantities), limits: Type.Optional(Quantities) })
const Exec = Type.Object({ command: Type.Optional(Type.Array(Type.String())) })
const Probe = Type.Object({ exec: Type.Optional(Exec) })
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
  windowsOptions: nullable(Type.Record(Type.String(), Type.Unknown())),
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
const Container = Type.Object({
  name: Type.String(),
  image: Type.Optional(Type.String()),
  args: Type.Optional(Type.Array(Type.String())),
  env: Type.Optional(Type.Array(Type.Object({ name: Type.String(), value: Type.Optional(Type.String()) }))),
  ports: Type.Optional(Type.Array(Type.Object({ containerPort: Type.Optional(Type.Integer()) }))),
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
      labels: Type.Optional(Texts),
      annotations: Type.Optional(Texts),
      ownerReferences: Type.Optional(Type.Array(OwnerReference)),
    }),
  ),
  spec: Type.Object({
    // Go writes an empty list that is not optional as null.
    containers: Type.Optional(Type.Union([Type.Array(Container), Type.Null()])),
    initContainers: Type.Optional(Type.Array(Container)),
    ephemeralContainers: Type.Optional(Type.Array(Container)),
    volumes: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), emptyDir: Type.Optional(Type.Unknown()), projected: Type.Optional(Type.Unknown()), downwardAPI: Type.Optional(Type.Unknown()), hostPath: Type.Optional(Type.Unknown()), configMap: Type.Optional(Type.Unknown()) })), // prettier-ignore
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
    nodeSelector: Type.Optional(Texts),
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

/** More errors of one pod are not looked for: each takes a while, and any number of them is easily sent. */
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

/** Whether what is read of a pod is as the Kubernetes API describes it: nothing is coerced, nothing removed. */
export function readPod(value: unknown): Parsed<Pod> {
  if (compiled.Check(value)) return ok(value)
  return fail(...fewErrors(value).map(({ instancePath, message }) => `pod${instancePath}: ${message}`))
}

export const appContainers = (pod: Pod): Container[] => pod.spec.containers ?? []
export const initContainers = (pod: Pod): Container[] => pod.spec.initContainers ?? []
export const allContainers = (pod: Pod): Container[] => [...initContainers(pod), ...appContainers(pod)]
export const isNativeSidecar = (container: Container): boolean => container.restartPolicy === 'Always'

/** The name of the ServiceAccount that the pod runs as. */
export const serviceAccountName = ({ spec }: Pod): string => spec.serviceAccountName || spec.serviceAccount || 'default'

/** The same pod with some fields of its `spec` replaced; an undefined one is taken out. */
export function withSpec(pod: Pod, changes: { [K in keyof Pod['spec']]?: Pod['spec'][K] | undefined }): Pod {
  const spec: Record<string, unknown> = { ...pod.spec, ...changes }
  for (const [field, value] of Object.entries(spec)) if (value === undefined) delete spec[field]
  return { ...pod, spec: spec }
}
