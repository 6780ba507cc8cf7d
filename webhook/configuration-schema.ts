import { Type, type Static } from 'typebox'
import { Cloud } from '../shared/cloud-schema.ts'

const strict = { additionalProperties: false }
const optional = Type.Optional
const text = (description: string, more: object = {}) => Type.String({ minLength: 1, description, ...more })
const Patterns = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true, description })
const Quantity = Type.String()
const Duration = (description: string, value: string) => Type.String({ description, default: value })
const Quantities = (description: string) =>
  Type.Object({ cpu: optional(Quantity), memory: optional(Quantity), 'ephemeral-storage': optional(Quantity) }, { ...strict, description }) // prettier-ignore

/** A cloud of the administrator's: what the sidecar is told of it, or a file that part of it is in. */
const AdministratorsCloud = Type.Object(
  {
    ...Cloud.properties,
    caCertificatesFile: optional(
      text("a file in the webhook's container, read again when it changes, that stands for `caCertificates`"),
    ),
  },
  strict,
)

/** The administrator's file, as it is written: every field is optional, and one that is unknown is a mistake. */
export const ConfigurationFile = Type.Object(
  {
    tenantId: optional(text('tenant of identities whose pod and ServiceAccount name none')),
    cloud: optional(
      text('the cloud of pods that name none: a built-in one or a key of `clouds`', { default: 'AzurePublicCloud' }),
    ),
    clouds: optional(
      Type.Record(Type.String(), AdministratorsCloud, {
        description: 'clouds by name, beside or instead of the built-in ones',
      }),
    ),
    defaults: optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'values of annotations (without the prefix) that neither pod nor Namespace has',
      }),
    ),
    bounds: optional(
      Type.Record(Type.String(), Type.Object({ min: optional(Type.String()), max: optional(Type.String()) }, strict), {
        description: 'smallest and largest values of annotations that hold a duration or a quantity',
      }),
    ),
    annotations: optional(
      Type.Object(
        {
          allowed: optional(Type.Array(Type.String(), { description: 'pods may have these and no others' })),
          forbidden: optional(Type.Array(Type.String(), { description: 'pods may not have these' })),
        },
        { ...strict, description: 'which annotations pods may have; those of a Namespace are not limited' },
      ),
    ),
    knownSidecars: optional(
      Type.Array(text('name of a container'), {
        description: 'containers of other injectors: they get no mount, and native ones start before the sidecar',
        default: [
          ...['istio-proxy', 'istio-init', 'istio-validation', 'enable-core-dump'],
          ...['linkerd-proxy', 'linkerd-init', 'linkerd-network-validator', 'linkerd-debug'],
          ...['kuma-sidecar', 'kuma-init', 'kuma-validation', 'consul-dataplane', 'consul-connect-inject-init'],
          ...['queue-proxy', 'daprd', 'azwi-proxy', 'azwi-proxy-init', 'vault-agent', 'vault-agent-init'],
          ...['traffic-agent', 'tel-agent-init', 'otc-container', 'jaeger-agent', 'gke-gcsfuse-sidecar'],
          ...['opentelemetry-auto-instrumentation', 'opentelemetry-auto-instrumentation-java'],
          ...['opentelemetry-auto-instrumentation-nodejs', 'opentelemetry-auto-instrumentation-python'],
          ...['opentelemetry-auto-instrumentation-dotnet', 'datadog-init-apm-inject', 'install-oneagent'],
          ...['datadog-lib-java-init', 'datadog-lib-js-init', 'datadog-lib-python-init', 'datadog-lib-dotnet-init'],
          ...['datadog-lib-ruby-init', 'datadog-lib-php-init', 'crowdstrike-falcon-container'],
        ],
      }),
    ),
    classicMesh: optional(
      Type.Enum(['istio', 'linkerd', 'kuma', 'consul'], {
        description:
          "a service mesh whose proxies are ordinary containers: injected pods get its annotations that take the sidecar's ports around the proxy, those of the vaults for the whole pod",
      }),
    ),
    vaults: optional(
      Type.Array(
        Type.Object(
          {
            namespaces: Patterns('names of namespaces, `*` for any characters'),
            vaults: Patterns('names of vaults or `https://` URLs, `*` for any characters but a dot'),
          },
          strict,
        ),
        {
          description:
            "which namespaces may use which vaults; without a rule every namespace may use every vault of the pod's cloud by name",
        },
      ),
    ),
    resources: optional(
      Type.Object(
        { requests: optional(Quantities('what is reserved')), limits: optional(Quantities('what may be used')) },
        {
          ...strict,
          description: "the sidecar's resources; a field replaces the default of the same name",
          default: { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
        },
      ),
    ),
    image: optional(text("the sidecar's image, where it is not the webhook's own")),
    imagePullPolicy: optional(Type.Enum(['Always', 'IfNotPresent', 'Never'], { description: "the sidecar's" })),
    imagePullSecrets: optional(
      Type.Array(text('name of a Secret in the namespace of the pod'), {
        description: 'added to injected pods that do not name them',
      }),
    ),
    proxy: optional(
      Type.Object(
        {
          httpProxy: optional(text('HTTP_PROXY')),
          httpsProxy: optional(text('HTTPS_PROXY')),
          noProxy: optional(text('NO_PROXY, which is read as curl and Go do: a domain covers its subdomains')),
        },
        { ...strict, description: 'how sidecars reach vault and sign-in' },
      ),
    ),
    caCertificates: optional(
      text('PEM certificates that sidecars trust in addition to the public ones, in every cloud'),
    ),
    missingClientId: optional(
      Type.Enum(['deny', 'warn'], {
        description: 'what becomes of a pod for which there is no client id',
        default: 'deny',
      }),
    ),
    allowNodeIdentity: optional(
      Type.Boolean({
        default: false,
        description:
          'whether a SecretProviderClass with `useVMManagedIdentity` is fetched as the node, whose identity every pod on it has; refused otherwise',
      }),
    ),
    sidecarPort: optional(
      Type.Integer({
        minimum: 1024,
        maximum: 32767,
        default: 20471,
        description: 'where the sidecar serves probes and metrics; moved up where a container declares it',
      }),
    ),
    volumeSizeLimit: optional(
      Type.String({
        default: '16Mi',
        description: 'size of the volume in memory, which holds two complete sets of files during a change',
      }),
    ),
    oldestKubelet: optional(
      Type.String({
        description: 'version of the oldest kubelet, such as 1.28, for the mode `auto`; default: read from the nodes',
      }),
    ),
    report: optional(
      Type.Boolean({ default: false, description: 'decide and tell everywhere, but change or refuse no pod' }),
    ),
    workloadTemplates: optional(
      Type.Enum(['warn', 'deny'], {
        default: 'warn',
        description:
          'how a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Argo Rollout or Knative Service is answered whose pods would be refused; a change that leaves the pod template alone, such as of `replicas`, is only warned about, and so is everything in a namespace labelled `report`',
      }),
    ),
    fullRefresh: optional(
      Duration('every object is read again at least this often, whatever the list of changes says', '1h'),
    ),
    expiryHorizon: optional(Duration('objects that expire within it are told in the log once a day', '336h')),
  },
  strict,
)
export type ConfigurationFile = Static<typeof ConfigurationFile>
