import { parseDuration } from './duration.ts'
import { logLevels } from './log.ts'
import { annotationPrefix } from './names.ts'
import type { BundleFormat } from './object-spec.ts'
import { parseBoolean, parseBundleFormat, parseObjects } from './objects.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { pathProblem } from './paths.ts'
import { remembering } from './remembering.ts'
import { signals } from './signals.ts'
import { didYouMean, quote } from './suggest.ts'

/** One row of the table from which checks, defaults and documentation derive. */
export interface Annotation<T> {
  /** One line for the documentation. */
  help: string
  /** Used where neither pod, Namespace nor the admin's file says otherwise: a text as a user would write it, or nothing. */
  default?: string
  /** The default in words, where it is not a text that the annotation could hold. */
  defaultHelp?: string
  example: string
  /** What the admin's bounds compare. */
  bounded?: 'duration' | 'quantity'
  /** Changing it on a running pod has an effect. */
  live?: true
  /** Only on a pod; elsewhere an annotation may stand on the Namespace too. */
  podOnly?: true
  /** Written by the webhook, not by users. */
  written?: true
  parse: (text: string) => Parsed<T>
}

const annotation = <T>(row: Annotation<T>): Annotation<T> => row

const text = (text: string): Parsed<string> => (text === '' ? fail('expected a text') : ok(text))

function oneOf<const T extends string>(known: readonly T[]): (text: string) => Parsed<T> {
  return (text) => {
    const value = known.find((name) => name === text)
    return value === undefined ? fail(`expected one of ${known.join(', ')}${didYouMean(text, known)}`) : ok(value)
  }
}

function matching(pattern: RegExp, expected: string): (text: string) => Parsed<string> {
  return (text) => (pattern.test(text) ? ok(text) : fail(`expected ${expected}`))
}

function list(what: string, pattern: RegExp, most: number): (text: string) => Parsed<string[]> {
  return (text) => {
    const items = text.split(/[,\n]/).map((item) => item.trim()).filter((item) => item !== '') // prettier-ignore
    if (items.length === 0) return fail(`expected names of ${what}`)
    if (items.length > most) return fail(`${items.length} are more than ${most} ${what}`)
    const wrong = items.filter((item) => !pattern.test(item))
    return wrong.length > 0 ? fail(...wrong.map((item) => `${quote(item)} is not a name of ${what}`)) : ok(items)
  }
}

/** Containers and init containers of a pod that is injected, and names of them in an annotation. */
export const maxContainers = 500
/** UTF-16 units of an annotation's value. */
const maxValue = 96 * 1024
/** Annotations of the injector on a pod or Namespace. */
const maxAnnotations = 200

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const guid = matching(
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  'a GUID such as 00000000-0000-0000-0000-000000000000',
)
/** As a container's `resources` take them. */
const quantity = matching(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/, 'a quantity such as 50m, 64Mi or 1')

function unixId(text: string): Parsed<number> {
  const id = Number(text)
  return /^\d+$/.test(text) && id <= 2147483647 ? ok(id) : fail('expected a numeric id from 0 to 2147483647')
}

function mountPath(path: string): Parsed<string> {
  if (!path.startsWith('/') || path === '/') return fail('expected an absolute path of a folder such as /mnt/secrets')
  const problem = pathProblem(path.slice(1))
  if (problem !== undefined) return fail(problem)
  if (path.includes(':')) return fail('a mount path may not hold a colon')
  return ok(path)
}

function notifyUrl(text: string): Parsed<string> {
  const expected = 'expected http://localhost:PORT/... or http://127.0.0.1:PORT/...'
  if (!URL.canParse(text)) return fail(expected)
  const url = new URL(text)
  if (url.protocol !== 'http:' || !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) return fail(expected)
  if (url.username !== '' || url.password !== '') return fail('a URL with a password in it is not taken')
  return ok(url.href)
}

const rememberedObjects = remembering(parseObjects)
/** The text may be long, and is that of every replica. */
const readObjects = (text: string) => (text.length > maxValue ? parseObjects(text) : rememberedObjects(text))

/** Every annotation that has a name of its own, without the prefix. */
export const annotations = {
  inject: annotation({
    help: '`"false"` leaves a pod untouched that would be injected',
    default: 'true',
    example: 'false',
    parse: parseBoolean,
  }),
  vault: annotation({
    help: "the vault of objects that name none: its name, or its `https://` URL where the admin's rules allow it",
    example: 'my-kv',
    parse: text,
  }),
  objects: annotation({
    help: 'what to fetch: `[secret/|key/|cert/]name[@version][=path]` split by comma or line, or YAML',
    example: 'db-password, cert/web-tls=tls.pem',
    parse: readObjects,
  }),
  'secret-provider-class': annotation({
    help: "SecretProviderClasses of the Azure provider in the pod's namespace, whose objects the pod gets too",
    example: 'web-secrets, web-tls',
    parse: list('SecretProviderClasses', dnsSubdomain, 20),
  }),
  'mount-path': annotation({
    help: 'where app containers see the files, read-only',
    default: '/mnt/secrets',
    example: '/etc/app/secrets',
    parse: mountPath,
  }),
  containers: annotation({
    help: 'the containers and init containers that get the mount',
    defaultHelp: "all but the admin's list of known sidecars",
    example: 'app, migrate',
    parse: list('containers', dnsLabel, maxContainers),
  }),
  'poll-interval': annotation({
    help: 'how often the vault is asked for changes',
    default: '2m',
    example: '10m',
    bounded: 'duration',
    live: true,
    parse: parseDuration,
  }),
  mode: annotation({
    help: '`native`: a sidecar among the init containers; `classic`: an init container and an ordinary sidecar; `once`: an init container only, no rotation; `auto`: native where every kubelet knows it',
    default: 'auto',
    example: 'classic',
    parse: oneOf(['auto', 'native', 'classic', 'once']),
  }),
  signal: annotation({
    help: `sent to the app after a change: ${signals.join(', ')}; the pod then shares its process namespace`,
    defaultHelp: 'none',
    example: 'SIGHUP',
    parse: oneOf(signals),
  }),
  'signal-container': annotation({
    help: 'the container whose process gets the signal',
    defaultHelp: '`kubectl.kubernetes.io/default-container`, else the only app container',
    example: 'app',
    parse: matching(dnsLabel, 'the name of a container'),
  }),
  'signal-process': annotation({
    help: 'the process inside that container: its `comm` or the base name of its `argv[0]`',
    defaultHelp: "the container's entry process",
    example: 'nginx',
    parse: text,
  }),
  'signal-permission': annotation({
    help: "`same-user`: the sidecar runs as the target's user; `cap-kill`: as user 0 with no capability but `KILL`",
    default: 'same-user',
    example: 'cap-kill',
    parse: oneOf(['same-user', 'cap-kill']),
  }),
  'notify-url': annotation({
    help: 'gets a POST after a change; on the loopback address only, 2xx is success',
    defaultHelp: 'none',
    example: 'http://localhost:8080/-/reload',
    parse: notifyUrl,
  }),
  splay: annotation({
    help: 'up to this long a random delay before the app is told, so that replicas do not restart together',
    default: '0s',
    example: '5m',
    bounded: 'duration',
    parse: parseDuration,
  }),
  'client-id': annotation({
    help: 'client id of the managed identity or application that the vault knows',
    defaultHelp: "the ServiceAccount's `azure.workload.identity/client-id`",
    example: '00000000-0000-0000-0000-000000000000',
    parse: guid,
  }),
  'tenant-id': annotation({
    help: 'tenant of that identity',
    defaultHelp: "the ServiceAccount's `azure.workload.identity/tenant-id`, else the admin's",
    example: '00000000-0000-0000-0000-000000000000',
    parse: matching(/^[0-9a-zA-Z][-.0-9a-zA-Z]*$/, 'the id or the domain of a tenant'),
  }),
  cloud: annotation({
    help: "the cloud of vault and identity: a built-in name or one of the admin's",
    default: 'AzurePublicCloud',
    example: 'AzureUSGovernmentCloud',
    parse: text,
  }),
  'run-as-user': annotation({
    help: "the sidecar's user id",
    defaultHelp: "the signal target's, else 65532",
    example: '1000',
    parse: unixId,
  }),
  'run-as-group': annotation({
    help: "the sidecar's group id",
    defaultHelp: "the signal target's, else 65532",
    example: '1000',
    parse: unixId,
  }),
  'on-delete': annotation({
    help: 'whether a file stays (`retain`) or goes (`delete`) when the vault confirms that its object is gone',
    default: 'retain',
    example: 'delete',
    parse: oneOf(['retain', 'delete']),
  }),
  'startup-timeout': annotation({
    help: 'how long the first fetch may keep trying before the sidecar exits with its reason; refused requests (15 s) and unreachable vaults (50 s) end it sooner',
    default: '5m',
    example: '2m',
    bounded: 'duration',
    parse: parseDuration,
  }),
  'request-cpu': annotation({ help: "the sidecar's CPU request", defaultHelp: "the admin's", example: '10m', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'request-memory': annotation({ help: "the sidecar's memory request", defaultHelp: "the admin's", example: '48Mi', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'limit-cpu': annotation({ help: "the sidecar's CPU limit", defaultHelp: "the admin's", example: '250m', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'limit-memory': annotation({ help: "the sidecar's memory limit: its process and two complete sets of files", defaultHelp: "the admin's", example: '128Mi', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'request-ephemeral-storage': annotation({ help: "the sidecar's ephemeral storage request", defaultHelp: "the admin's", example: '16Mi', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'limit-ephemeral-storage': annotation({ help: "the sidecar's ephemeral storage limit", defaultHelp: "the admin's", example: '64Mi', bounded: 'quantity', parse: quantity }), // prettier-ignore
  'log-level': annotation({
    help: `what the sidecar logs: ${logLevels.join(', ')}`,
    default: 'info',
    example: 'debug',
    live: true,
    parse: oneOf(logLevels),
  }),
  refresh: annotation({
    help: 'a change of its value on a running pod makes the sidecar ask the vault now',
    example: '1760000000',
    live: true,
    podOnly: true,
    parse: ok<string>,
  }),
  suspend: annotation({
    help: '`"true"` on a running pod stops polling until it is removed',
    default: 'false',
    example: 'true',
    live: true,
    parse: parseBoolean,
  }),
  status: annotation({ help: '`injected`', example: 'injected', written: true, podOnly: true, parse: ok<string> }),
  version: annotation({
    help: "the injector's version",
    example: '0.1.0',
    written: true,
    podOnly: true,
    parse: ok<string>,
  }),
  'injected-by': annotation({
    help: '`standby` where the webhook itself did not answer and its standby injected',
    example: 'standby',
    written: true,
    podOnly: true,
    parse: ok<string>,
  }),
} as const satisfies Record<string, Annotation<unknown>>

export type AnnotationName = keyof typeof annotations
/** The annotations of which the sidecar watches the pod's live value. */
export const liveAnnotations = (Object.keys(annotations) as AnnotationName[]).filter(
  (name) => (annotations[name] as Annotation<unknown>).live,
)

type ValueOf<A> = A extends Annotation<infer T> ? T : never
/** What the annotations of a pod or Namespace say; absent where they say nothing. */
export type AnnotationValues = { [K in AnnotationName]?: ValueOf<(typeof annotations)[K]> } & {
  /** Of `template-<path>`. */
  templates?: Record<string, string>
  /** Of `bundle-<path>`. */
  bundles?: Record<string, BundleFormat>
}

/** Annotations whose name ends with the path of a file: `template-app.ini`, `bundle-.env`. */
export const families = {
  'template-': annotation({
    help: 'a LiquidJS template, written to `<path>`',
    example: 'postgres://app:{{ secrets["db-password"] }}@db/',
    parse: text,
  }),
  'bundle-': annotation({
    help: 'every object of type secret in one file at `<path>`: `dotenv`, `json`, `yaml` or `properties`',
    example: 'dotenv',
    parse: parseBundleFormat,
  }),
} as const

/**
 * Reads every annotation under our prefix. A problem names the annotation and its value, an unknown name is one.
 * @param raw a pod's or Namespace's `metadata.annotations`
 */
export function readAnnotations(
  raw: Record<string, unknown>,
  on: 'pod' | 'namespace' = 'pod',
): { values: AnnotationValues; problems: string[] } {
  const values: Record<string, unknown> = {}
  const own = Object.entries(raw).filter(([key]) => key.startsWith(annotationPrefix))
  if (own.length > maxAnnotations) {
    const whose = on === 'namespace' ? 'the namespace' : 'the pod'
    return { values, problems: [`${whose} has ${own.length} annotations ${annotationPrefix}*, and at most ${maxAnnotations} are read: write templates and bundles into objects`] } // prettier-ignore
  }
  const problems: string[] = []
  for (const [key, value] of own) {
    const where = `annotation ${quote(key).slice(1, -1)}${on === 'namespace' ? ' of the namespace' : ''}`
    if (typeof value !== 'string') {
      problems.push(`${where}: expected a text`)
      continue
    }
    const name = key.slice(annotationPrefix.length)
    const parsed = readOne(name, value, on)
    if (!parsed.ok) problems.push(...parsed.problems.map((problem) => `${where}${shown(name, value)}: ${problem}`))
    else parsed.value(values)
  }
  return { values, problems }
}

/** Long values (documents, templates) are not repeated: their problems say where they are. */
const shown = (name: string, value: string): string =>
  name === 'objects' || name.startsWith('template-') ? '' : ` ${quote(value)}`

function readOne(
  name: string,
  value: string,
  on: 'pod' | 'namespace',
): Parsed<(into: Record<string, unknown>) => void> {
  if (value.length > maxValue && name !== 'objects')
    return fail(`the text has ${value.length} characters, and at most ${maxValue} are read: shorten it`)
  if (Object.hasOwn(annotations, name)) {
    const row: Annotation<unknown> = annotations[name as AnnotationName]
    if (on === 'namespace' && row.podOnly) return fail('this annotation is for pods only')
    const parsed = row.parse(name === 'objects' ? value : value.trim())
    return parsed.ok ? ok((into) => (into[name] = parsed.value)) : parsed
  }
  for (const [family, field] of [
    ['template-', 'templates'],
    ['bundle-', 'bundles'],
  ] as const) {
    // prettier-ignore
    if (!name.startsWith(family)) continue
    const path = name.slice(family.length)
    const problem = pathProblem(path)
    if (problem !== undefined) return fail(problem)
    const parsed = families[family].parse(value)
    return parsed.ok ? ok((into) => (into[field] = { ...(into[field] as object | undefined), [path]: parsed.value })) : parsed // prettier-ignore
  }
  return fail(`there is no such annotation${didYouMean(name, Object.keys(annotations))}`)
}
