import { Type, type Static } from 'typebox'
import { Cloud } from './cloud-schema.ts'
import { logLevels } from './log.ts'
import { ObjectSpec } from './object-schema.ts'
import { bundleFormats } from './object-spec.ts'
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
    /**
     * How it signs in, where not with the pod's own token at the authority: through the token proxy of an identity binding, or
     * as the node, whose `clientId` is that of a user-assigned identity.
     */
    mode: Type.Optional(Type.Enum(['identity-binding', 'node'])),
    /** Name of the file of its token, beside that of the pod's own cloud, if its cloud has another audience. */
    tokenFile: Type.Optional(Type.String({ pattern: '^token-\\d+$' })),
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
