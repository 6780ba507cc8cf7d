import { Type, type Static } from 'typebox'
import { Check, Errors } from 'typebox/value'
import { Cloud } from './clouds.ts'
import { logLevels } from './log.ts'
import { bundleFormats, combinationProblems, filesOf, objectName, ObjectSpec } from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { pathProblem, treeProblems } from './paths.ts'
import { signals } from './signals.ts'

const strict = { additionalProperties: false }
const Milliseconds = Type.Integer({ minimum: 0 })
const Range = Type.Object({ min: Milliseconds, max: Milliseconds }, strict)
const Level = Type.Enum(logLevels)

/** Who asks a vault: one credential is made for each distinct identity, all over the same token file. */
export const Identity = Type.Object(
  {
    /** A key of `clouds`. */
    cloud: Type.String(),
    /** Without them the pod's environment (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`) says it. */
    tenantId: Type.Optional(Type.String()),
    clientId: Type.Optional(Type.String()),
  },
  strict,
)
export type Identity = Static<typeof Identity>

export const SignalTarget = Type.Object(
  {
    name: Type.Enum(signals),
    container: Type.String({ minLength: 1 }),
    /** `comm` or the base name of `argv[0]`; the container's entry process where absent. */
    process: Type.Optional(Type.String({ minLength: 1 })),
  },
  strict,
)
export type SignalTarget = Static<typeof SignalTarget>

/** What the webhook tells the sidecar; every default is filled in, every duration is in milliseconds. */
export const Settings = Type.Object(
  {
    /** Rises with every incompatible change of this schema. */
    schema: Type.Literal(1),
    /** The injector's version that wrote it. */
    version: Type.String(),
    mountPath: Type.String({ pattern: '^/' }),
    mode: Type.Enum(['native', 'classic', 'once']),
    clouds: Type.Record(Type.String(), Cloud),
    identities: Type.Array(Identity, { minItems: 1 }),
    objects: Type.Array(ObjectSpec, { minItems: 1 }),
    /** LiquidJS texts by path. */
    templates: Type.Record(Type.String(), Type.String()),
    /** Formats by path. */
    bundles: Type.Record(Type.String(), Type.Enum(bundleFormats)),
    /** Permission bits of files that have none of their own. */
    fileMode: Type.Integer({ minimum: 0, maximum: 0o777 }),
    onDelete: Type.Enum(['retain', 'delete']),
    pollInterval: Milliseconds,
    /** What a live value is clamped to. */
    bounds: Type.Object({ pollInterval: Range }, strict),
    /** Every unpinned object is read again at least this often, whatever the list says. */
    fullRefresh: Milliseconds,
    startupTimeout: Milliseconds,
    /** An object that expires within it is told in the log once a day. */
    expiryHorizon: Milliseconds,
    logLevel: Level,
    /** Where probes, metrics and status are served; absent: on the unix socket only (host network). */
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    notify: Type.Object(
      { signal: Type.Optional(SignalTarget), url: Type.Optional(Type.String()), splay: Milliseconds },
      strict,
    ),
    /** What the first admission decided; a later one (another webhook added something) decides the same. */
    admitted: Type.Object({ containers: Type.Array(Type.String()) }, strict),
  },
  strict,
)
export type Settings = Static<typeof Settings>

/** More does not fit into a process's environment beside everything else; at 140 kB no container starts. */
export const maxEncodedSettings = 96 * 1024

/** Base64url, so that the kubelet's expansion of `$(...)` finds nothing to expand. */
export const encodeSettings = (settings: Settings): string =>
  Buffer.from(JSON.stringify(settings)).toString('base64url')

/** Reads what {@link encodeSettings} wrote and checks all of it again. */
export function decodeSettings(encoded: string): Parsed<Settings> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(encoded, 'base64url').toString())
  } catch {
    return fail('the settings are not base64url of JSON')
  }
  return checkSettings(value)
}

/** Every problem with its place: the schema, then paths, references and files that clash. */
export function checkSettings(value: unknown): Parsed<Settings> {
  if (!Check(Settings, value)) {
    return fail(
      ...Errors(Settings, value).map(({ instancePath, message }) => `${instancePath || 'settings'}: ${message}`),
    )
  }
  const problems: string[] = []
  for (const { cloud } of value.identities) {
    if (!Object.hasOwn(value.clouds, cloud)) problems.push(`identities: there is no cloud "${cloud}"`)
  }
  for (const object of value.objects) {
    if (object.identity >= value.identities.length)
      problems.push(`${objectName(object)}: there is no identity ${object.identity}`)
    problems.push(...combinationProblems(object).map((problem) => `${objectName(object)}: ${problem}`))
  }
  const files = plannedFiles(value)
  for (const { path, source } of files) {
    const problem = pathProblem(path)
    if (problem !== undefined) problems.push(`${source}: ${problem}`)
  }
  problems.push(...treeProblems(files))
  return problems.length > 0 ? fail(...problems) : ok(value)
}

/** Every file that a pod with these settings may get. `nameOf` is how messages name an object. */
export const plannedFiles = (
  { objects, templates, bundles }: Pick<Settings, 'objects' | 'templates' | 'bundles'>,
  nameOf: (object: ObjectSpec) => string = objectName,
) => [
  ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: nameOf(object) }))),
  ...Object.keys(templates).map((path) => ({ path, source: `template "${path}"` })),
  ...Object.keys(bundles).map((path) => ({ path, source: `bundle "${path}"` })),
]
