import { Type, type Static } from 'typebox'
import { Cloud } from '../../shared/clouds/schema.ts'
import { CoordinatorFile } from './coordinator.ts'

const strict = { additionalProperties: false }
const optional = Type.Optional
const text = (description: string, more: object = {}) => Type.String({ minLength: 1, description, ...more })
const Patterns = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true, description })
const Quantity = Type.String()
const Duration = (description: string, value: string) => Type.String({ description, default: value })
const Quantities = (description: string) =>
  Type.Object(
    { cpu: optional(Quantity), memory: optional(Quantity), 'ephemeral-storage': optional(Quantity) },
    { ...strict, description },
  )

/** A cloud in the administrator's file: the sidecar's settings for it, some of which may be in a file. */
const AdministratorsCloud = Type.Object(
  {
    ...Cloud.properties,
    caCertificatesFile: optional(
      text("a file in the webhook's container with the `caCertificates`, read again when it changes"),
    ),
  },
  strict,
)

/** The administrator's file as written: every field is optional, and an unknown field is a problem. */
export const ConfigurationFile = Type.Object(
  {
    tenantId: optional(text('tenant ID of identities if neither the pod nor its ServiceAccount has one')),
    cloud: optional(
      text('cloud of pods without the annotation `cloud`: a built-in one or a key of `clouds`', {
        default: 'AzurePublicCloud',
      }),
    ),
    clouds: optional(
      Type.Record(Type.String(), AdministratorsCloud, {
        description: 'clouds by name, in addition to the built-in ones or replacing them',
      }),
    ),
    defaults: optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'values of annotations (without the prefix) if neither pod nor Namespace has them',
      }),
    ),
    bounds: optional(
      Type.Record(Type.String(), Type.Object({ min: optional(Type.String()), max: optional(Type.String()) }, strict), {
        description: 'minimum and maximum of annotations with a duration or a quantity',
      }),
    ),
    annotations: optional(
      Type.Object(
        {
          allowed: optional(Type.Array(Type.String(), { description: 'pods may have only these' })),
          forbidden: optional(Type.Array(Type.String(), { description: 'pods must not have these' })),
        },
        { ...strict, description: 'which annotations pods may have; annotations of a Namespace are not limited' },
      ),
    ),
    knownSidecars: optional(
      Type.Array(text('name of a container'), {
        description:
          "containers of other injectors, which get no mount; native ones listed before the app's init containers start before the sidecar",
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
          "a service mesh whose proxies are ordinary containers: injected pods get its annotations that make the sidecar's ports bypass the proxy; the ports of the vaults bypass it for the whole pod",
      }),
    ),
    vaults: optional(
      Type.Array(
        Type.Object(
          {
            namespaces: Patterns('names of namespaces; `*` matches any characters'),
            vaults: Patterns('names of vaults or `https://` URLs; `*` matches any characters except a dot'),
          },
          strict,
        ),
        {
          description:
            "which namespaces may use which vaults; without rules, every namespace may use every vault of the pod's cloud by name",
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
    image: optional(text("the sidecar's image, if it is not the webhook's own")),
    imagePullPolicy: optional(Type.Enum(['Always', 'IfNotPresent', 'Never'], { description: "the sidecar's" })),
    imagePullSecrets: optional(
      Type.Array(text('name of a Secret in the namespace of the pod'), {
        description: 'added to injected pods that lack them',
      }),
    ),
    proxy: optional(
      Type.Object(
        {
          httpProxy: optional(text('HTTP_PROXY')),
          httpsProxy: optional(text('HTTPS_PROXY')),
          noProxy: optional(text('NO_PROXY, interpreted like curl and Go do: a domain includes its subdomains')),
        },
        { ...strict, description: 'proxies through which sidecars reach vaults and sign in' },
      ),
    ),
    caCertificates: optional(
      text('PEM certificates that sidecars trust in every cloud, in addition to the public ones'),
    ),
    missingClientId: optional(
      Type.Enum(['deny', 'warn'], {
        description: 'whether a pod without a client ID is denied or only gets a warning',
        default: 'deny',
      }),
    ),
    allowNodeIdentity: optional(
      Type.Boolean({
        default: false,
        description:
          "whether the objects of a SecretProviderClass with `useVMManagedIdentity` may be fetched with the node's identity, which every pod on the node has; otherwise the pod is denied",
      }),
    ),
    find: optional(
      Type.Object(
        {
          maxPages: optional(
            Type.Integer({
              minimum: 1,
              maximum: 1000,
              description: 'pages of a list, each with 25 objects of the vault',
            }),
          ),
          maxMatches: optional(
            Type.Integer({ minimum: 1, maximum: 500, description: 'objects that one find of a pod may select' }),
          ),
          allowAll: optional(
            Type.Boolean({
              description: 'whether a find may select every object of a vault, with neither tags nor a name',
            }),
          ),
        },
        {
          ...strict,
          description:
            'limits for `find`, which lists the whole vault at every poll: pages of a list (each with 25 objects), matches of one find, and whether a find may have neither tags nor a name',
          default: { maxPages: 200, maxMatches: 100, allowAll: false },
        },
      ),
    ),
    sidecarPort: optional(
      Type.Integer({
        minimum: 1024,
        maximum: 32767,
        default: 20471,
        description:
          'port for probes and metrics of the sidecar; the next free one is used if a container of the pod declares it',
      }),
    ),
    volumeSizeLimit: optional(
      Type.String({
        default: '16Mi',
        description: 'size limit of the in-memory volume, which holds two complete sets of files during a change',
      }),
    ),
    oldestKubelet: optional(
      Type.String({
        description:
          'version of the oldest kubelet, such as 1.28, for the mode `auto` and the annotation `env`; by default it is read from the nodes',
      }),
    ),
    report: optional(
      Type.Boolean({ default: false, description: 'report every decision, but neither change nor deny any pod' }),
    ),
    workloadTemplates: optional(
      Type.Enum(['warn', 'deny'], {
        default: 'warn',
        description:
          'whether a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Argo Rollout or Knative Service is denied if its pods would be denied, or only gets a warning; a change that keeps the pod template, such as of `replicas`, only gets a warning, as does everything in a namespace labeled `report`',
      }),
    ),
    coordinator: optional(CoordinatorFile),
    velero: optional(
      Type.Boolean({
        default: false,
        description:
          "whether the injector's volumes are added to the annotation `backup.velero.io/backup-volumes-excludes` of injected pods, so that Velero's file system backup does not contain secrets",
      }),
    ),
    fullRefresh: optional(
      Duration(
        'every object is read at least this often, even if the vault lists no change; the volume is compared with what was written, and any difference is logged, counted and restored',
        '1h',
      ),
    ),
    expiryHorizon: optional(Duration('log a daily warning for objects that expire within this period', '336h')),
  },
  strict,
)
export type ConfigurationFile = Static<typeof ConfigurationFile>
