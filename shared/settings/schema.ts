import { Type, type Static } from 'typebox'
import { Cloud } from '../clouds/schema.ts'
import { logLevels } from '../log.ts'
import { Finds } from '../objects/find-schema.ts'
import { BundleSpec, ObjectSpec } from '../objects/schema.ts'
import { signalNames } from '../signals.ts'

const strict = { additionalProperties: false }
const Milliseconds = Type.Integer({ minimum: 0 })
const Range = Type.Object({ min: Milliseconds, max: Milliseconds }, strict)
const Level = Type.Enum(logLevels)

/** An identity that requests objects. The sidecar creates one credential for each. */
export const Identity = Type.Object(
  {
    /** A key of `clouds`. */
    cloud: Type.String(),
    /** Default to the pod's environment (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`). */
    tenantId: Type.Optional(Type.String()),
    clientId: Type.Optional(Type.String()),
    /**
     * How it signs in: through the token proxy of an identity binding, or as the node, whose user-assigned identity `clientId` names;
     * absent if the authority exchanges the pod's own token.
     */
    mode: Type.Optional(Type.Enum(['identity-binding', 'node'])),
    /** Name of its token file, if its cloud has another audience than the pod's own cloud. */
    tokenFile: Type.Optional(Type.String({ pattern: '^token-\\d+$' })),
  },
  strict,
)
export type Identity = Static<typeof Identity>

export const SignalTarget = Type.Object(
  {
    name: Type.Enum(signalNames),
    container: Type.String({ minLength: 1 }),
    /** The process's `comm` or the base name of its `argv[0]`; absent for the container's entry process. */
    process: Type.Optional(Type.String({ minLength: 1 })),
  },
  strict,
)
export type SignalTarget = Static<typeof SignalTarget>

const Port = Type.Integer({ minimum: 1, maximum: 65_535 })

/** How the sidecar finds out whether the app is ready. */
const Readiness = Type.Union([
  /** A URL on the loopback address: 2xx means ready. */
  Type.Object({ url: Type.String({ pattern: '^http://' }) }, strict),
  /** As the kubelet asks: at the pod's address unless `host` names another, without checking a certificate; 200 to 399 means ready. */
  Type.Object(
    {
      scheme: Type.Enum(['http', 'https']),
      port: Port,
      path: Type.String({ pattern: '^/' }),
      host: Type.Optional(Type.String({ minLength: 1 })),
      headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() }, strict)),
      period: Milliseconds,
      timeout: Milliseconds,
    },
    strict,
  ),
  /** A port that accepts connections. */
  Type.Object(
    {
      tcp: Port,
      host: Type.Optional(Type.String({ minLength: 1 })),
      period: Milliseconds,
      timeout: Milliseconds,
    },
    strict,
  ),
])
export type Readiness = Static<typeof Readiness>

/** How the pod takes turns with the other pods of its group. */
export const TurnSettings = Type.Object(
  {
    maxUnavailable: Type.Union([
      Type.Object({ count: Type.Integer({ minimum: 1 }) }, strict),
      Type.Object({ percent: Type.Integer({ minimum: 1, maximum: 100 }) }, strict),
    ]),
    /** For so long, the app has to run after it was notified. */
    minReady: Milliseconds,
    /** For so long, a turn may be held; a sidecar without a session waits as long before it goes ahead alone. */
    timeout: Milliseconds,
    /** Absent if nothing says more than that the process runs, or that the notify URL answered. */
    readiness: Type.Optional(Readiness),
  },
  strict,
)
export type TurnSettings = Static<typeof TurnSettings>

/** How the sidecar reaches a coordinator. */
export const CoordinatorSettings = Type.Object(
  {
    url: Type.String({ pattern: '^https://[^/]+$' }),
    /** PEM certificates to trust in place of the public ones. */
    caCertificates: Type.Optional(Type.String()),
    /** A vault is polled again if the coordinator's last look is older. */
    coverageAge: Milliseconds,
    /** Over how long sidecars come back after they lost their sessions together. */
    reconnect: Milliseconds,
    /** The pod's controller, on which the coordinator writes Events; absent if it has none. */
    owner: Type.Optional(
      Type.Object({ apiVersion: Type.String(), kind: Type.String(), name: Type.String(), uid: Type.String() }, strict),
    ),
    /** Absent if the pod switches to a new set whenever it has one. */
    turns: Type.Optional(TurnSettings),
  },
  strict,
)

/** The contract between webhook and sidecar. Every default is filled in, and every duration is in milliseconds. */
export const Settings = Type.Object(
  {
    /** Increases with every incompatible change of this schema. */
    schema: Type.Literal(1),
    /** The version of the injector that wrote the settings. */
    version: Type.String(),
    mountPath: Type.String({ pattern: '^/' }),
    mode: Type.Enum(['native', 'classic', 'once']),
    clouds: Type.Record(Type.String(), Cloud),
    identities: Type.Array(Identity, { minItems: 1 }),
    /** Those that are named; none if there are only finds. */
    objects: Type.Array(ObjectSpec),
    /** Selections of further objects; absent if there are none. */
    find: Type.Optional(Finds),
    /** LiquidJS templates by path. */
    templates: Type.Record(Type.String(), Type.String()),
    /** Bundle formats and selections by path. */
    bundles: Type.Record(Type.String(), BundleSpec),
    /** Environment variables by name: the path of the file whose content each has, an object's first or a template's. */
    variables: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1 }))),
    /** Permission bits of files whose object sets none. */
    fileMode: Type.Integer({ minimum: 0, maximum: 0o777 }),
    onDelete: Type.Enum(['retain', 'delete']),
    pollInterval: Milliseconds,
    /** Live values are clamped to these. */
    bounds: Type.Object({ pollInterval: Range }, strict),
    /** Every unpinned object is read at least this often, even if the vault lists no change. */
    fullRefresh: Milliseconds,
    startupTimeout: Milliseconds,
    /** A warning is logged daily for an object that expires within this period. */
    expiryHorizon: Milliseconds,
    logLevel: Level,
    /** The port for probes, metrics and status; absent on the host network, where only the Unix socket serves them. */
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    notify: Type.Object(
      { signal: Type.Optional(SignalTarget), url: Type.Optional(Type.String()), splay: Milliseconds },
      strict,
    ),
    /** The coordinator that tells the sidecar of changes; absent without one. */
    coordinator: Type.Optional(CoordinatorSettings),
    /** What the first admission decided. A later one, after another webhook changed the pod, decides the same. */
    admitted: Type.Object({ containers: Type.Array(Type.String()) }, strict),
  },
  strict,
)
export type Settings = Static<typeof Settings>
