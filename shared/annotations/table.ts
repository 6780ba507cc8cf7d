import { parseDuration } from '../duration.ts'
import { logLevels } from '../log.ts'
import type { BundleFormat } from '../objects/formats.ts'
import { parseBundleFormat } from '../objects/parse-bundle.ts'
import { parseBoolean } from '../objects/parse.ts'
import { ok, type Result } from '../result.ts'
import { signalNames } from '../signals.ts'
import {
  dnsLabel,
  dnsSubdomain,
  list,
  matching,
  maxContainers,
  oneOf,
  parseGuid,
  parseMountPath,
  parseNotifyUrl,
  parseQuantity,
  parseText,
  parseUnixId,
  readObjects,
} from './parsers.ts'
import type { Annotation } from './row.ts'
import { turnAnnotations } from './turn-rows.ts'
import { parseVariables } from './variables.ts'

/** Every annotation with a fixed name, without the prefix. */
export const annotations = {
  inject: {
    help: '`"false"` leaves the pod untouched',
    default: 'true',
    example: 'false',
    parse: parseBoolean,
  },
  vault: {
    help: "the vault of objects that name none: its name, or its `https://` URL if the administrator's rules allow it",
    example: 'my-kv',
    parse: parseText,
  },
  objects: {
    help: 'what to fetch: `[secret/|key/|cert/]name[@version][=path]`, separated by commas or lines, or YAML',
    example: 'db-password, cert/web-tls=tls.pem',
    parse: readObjects,
  },
  'secret-provider-class': {
    help: "SecretProviderClasses of the Azure provider in the pod's namespace, whose objects the pod also gets",
    example: 'web-secrets, web-tls',
    parse: list('SecretProviderClasses', dnsSubdomain, 20),
  },
  'mount-path': {
    help: 'the folder in which app containers see the files, read-only; with `none`, no container gets the mount',
    default: '/mnt/secrets',
    example: '/etc/app/secrets',
    parse: parseMountPath,
  },
  env: {
    help: 'environment variables that are never stored in etcd: `NAME=object`, separated by commas or lines; an object of the pod by its name, `type/name` or path, or `template:<path>`; needs Kubernetes 1.35',
    example: 'DB_PASSWORD=db-password, DATABASE_URL=template:url',
    podOnly: true,
    parse: parseVariables,
  },
  'env-containers': {
    help: 'the containers and init containers that get the variables',
    defaultHelp: 'those of `containers`',
    example: 'app',
    parse: list('containers', dnsLabel, maxContainers),
  },
  containers: {
    help: 'the containers and init containers that get the mount',
    defaultHelp: "all except the administrator's `knownSidecars`",
    example: 'app, migrate',
    parse: list('containers', dnsLabel, maxContainers),
  },
  'poll-interval': {
    help: 'how often the vault is polled for changes',
    default: '2m',
    example: '10m',
    bounded: 'duration',
    live: true,
    parse: parseDuration,
  },
  mode: {
    help: '`native`: a native sidecar container; `classic`: an init container and an ordinary sidecar container, which keeps a Job from completing; `once`: an init container only, no rotation; `auto`: native if every kubelet supports it',
    default: 'auto',
    example: 'classic',
    parse: oneOf(['auto', 'native', 'classic', 'once']),
  },
  signal: {
    help: `sent to the app after a change: ${signalNames.join(', ')}; the containers of the pod then share a process namespace`,
    defaultHelp: 'none',
    example: 'SIGHUP',
    parse: oneOf(signalNames),
  },
  'signal-container': {
    help: 'the container whose process gets the signal',
    defaultHelp: '`kubectl.kubernetes.io/default-container`, else the only app container',
    example: 'app',
    parse: matching(dnsLabel, 'the name of a container'),
  },
  'signal-process': {
    help: 'the process inside that container: its `comm` or the base name of its `argv[0]`',
    defaultHelp: "the container's entry process",
    example: 'nginx',
    parse: parseText,
  },
  'signal-permission': {
    help: "`same-user`: the sidecar runs as the target's user; `cap-kill`: as user 0 with no capability but `KILL`",
    default: 'same-user',
    example: 'cap-kill',
    parse: oneOf(['same-user', 'cap-kill']),
  },
  'notify-url': {
    help: 'gets a POST after a change; must be on the loopback address, and 2xx means success',
    defaultHelp: 'none',
    example: 'http://localhost:8080/-/reload',
    parse: parseNotifyUrl,
  },
  splay: {
    help: 'maximum random delay before the app is notified, so that replicas do not restart at the same time',
    default: '0s',
    example: '5m',
    bounded: 'duration',
    parse: parseDuration,
  },
  ...turnAnnotations,
  'client-id': {
    help: 'client ID of the managed identity or application with access to the vault',
    defaultHelp: "the ServiceAccount's `azure.workload.identity/client-id`",
    example: '00000000-0000-0000-0000-000000000000',
    parse: parseGuid,
  },
  'tenant-id': {
    help: 'tenant ID of that identity',
    defaultHelp: "the ServiceAccount's `azure.workload.identity/tenant-id`, else the administrator's",
    example: '00000000-0000-0000-0000-000000000000',
    parse: matching(/^[0-9a-zA-Z][-.0-9a-zA-Z]*$/, 'the ID or the domain of a tenant'),
  },
  cloud: {
    help: "the cloud of vault and identity: a built-in one or one of the administrator's",
    default: 'AzurePublicCloud',
    example: 'AzureUSGovernmentCloud',
    parse: parseText,
  },
  'run-as-user': {
    help: "the sidecar's user ID",
    defaultHelp: "the signal target's, else 65532",
    example: '1000',
    parse: parseUnixId,
  },
  'run-as-group': {
    help: "the sidecar's group ID",
    defaultHelp: "the signal target's, else 65532",
    example: '1000',
    parse: parseUnixId,
  },
  'on-delete': {
    help: 'whether a file is kept (`retain`) or removed (`delete`) once the vault confirms that its object was deleted',
    default: 'retain',
    example: 'delete',
    parse: oneOf(['retain', 'delete']),
  },
  'startup-timeout': {
    help: 'how long the first fetch is retried before the sidecar exits with the reason; rejected requests (15 s) and unreachable vaults (50 s) end it sooner',
    default: '5m',
    example: '2m',
    bounded: 'duration',
    parse: parseDuration,
  },
  'request-cpu': {
    help: "the sidecar's CPU request",
    defaultHelp: "the administrator's",
    example: '10m',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'request-memory': {
    help: "the sidecar's memory request",
    defaultHelp: "the administrator's",
    example: '48Mi',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'limit-cpu': {
    help: "the sidecar's CPU limit",
    defaultHelp: "the administrator's",
    example: '250m',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'limit-memory': {
    help: "the sidecar's memory limit, for its process and two complete sets of files",
    defaultHelp: "the administrator's",
    example: '128Mi',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'request-ephemeral-storage': {
    help: "the sidecar's ephemeral storage request",
    defaultHelp: "the administrator's",
    example: '16Mi',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'limit-ephemeral-storage': {
    help: "the sidecar's ephemeral storage limit",
    defaultHelp: "the administrator's",
    example: '64Mi',
    bounded: 'quantity',
    parse: parseQuantity,
  },
  'log-level': {
    help: `the sidecar's log level: ${logLevels.join(', ')}`,
    default: 'info',
    example: 'debug',
    live: true,
    parse: oneOf(logLevels),
  },
  refresh: {
    help: 'changing the value on a running pod makes the sidecar poll the vault immediately',
    example: '1760000000',
    live: true,
    podOnly: true,
    parse: ok<string>,
  },
  suspend: {
    help: '`"true"` on a running pod stops polling until the annotation is removed',
    default: 'false',
    example: 'true',
    live: true,
    parse: parseBoolean,
  },
  status: { help: '`injected`', example: 'injected', written: true, podOnly: true, parse: ok<string> },
  version: {
    help: "the injector's version",
    example: '0.1.0',
    written: true,
    podOnly: true,
    parse: ok<string>,
  },
  'injected-by': {
    help: '`standby` if the webhook did not answer and its standby injected the pod',
    example: 'standby',
    written: true,
    podOnly: true,
    parse: ok<string>,
  },
} as const satisfies Record<string, Annotation<unknown>>

type Table = typeof annotations
export type AnnotationName = keyof Table
/** Names of the rows that have a property. */
type NamesWith<Property> = { [K in AnnotationName]: Table[K] extends Property ? K : never }[AnnotationName]
/** Annotations that always have a value, because the table has a default for them. */
export type DefaultedName = NamesWith<{ default: string }>
/** Annotations that the sidecar follows on a running pod. */
export type LiveName = NamesWith<{ live: true }>

/** Returns a row by name, without the types of its own. */
export const rowOf = (name: AnnotationName): Annotation<unknown> => annotations[name]
const names = Object.keys(annotations) as AnnotationName[]
export const defaultedNames = names.filter((name) => rowOf(name).default !== undefined) as DefaultedName[]
export const liveNames = names.filter((name) => rowOf(name).live) as LiveName[]

type ValueOf<A> = A extends { parse: (text: string) => Result<infer T> } ? T : never
/** The values of a pod's or Namespace's annotations; absent if the annotation is. */
export type AnnotationValues = { [K in AnnotationName]?: ValueOf<Table[K]> } & {
  /** The texts of `template-<path>` by path. */
  templates?: Record<string, string>
  /** The formats of `bundle-<path>` by path. */
  bundles?: Record<string, BundleFormat>
}

/** Annotations whose name ends with the path of a file, such as `template-app.ini` and `bundle-.env`. */
export const families = {
  'template-': {
    help: 'a LiquidJS template, written to `<path>`',
    example: 'postgres://app:{{ secrets["db-password"] | percent_encode }}@db/',
    parse: parseText,
  },
  'bundle-': {
    help: 'all objects of type secret in one file at `<path>`, as `dotenv`, `json`, `yaml` or `properties`',
    example: 'dotenv',
    parse: parseBundleFormat,
  },
} as const satisfies Record<string, Annotation<unknown>>
