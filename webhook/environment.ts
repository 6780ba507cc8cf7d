import type { Lifetimes } from '../certs/secret-state.ts'
import { logLevels } from '../shared/log.ts'
import { didYouMean, quote } from '../shared/messages.ts'
import { fail, ok, type Result } from '../shared/result.ts'

type LogLevel = (typeof logLevels)[number]

/** The webhook's environment variables, validated. Durations are in milliseconds. Frozen. */
export interface Environment {
  host: string
  /** 0 lets the system choose one. */
  port: number
  logLevel: LogLevel
  /** How long reviews are still accepted after SIGTERM, because endpoints are updated with a delay. */
  drainTimeMs: number
  /** The administrator's configuration file; without one, the defaults apply. */
  configurationFile: string | undefined
  /** The sidecar's image; without one, it is the image of the webhook's own pod. */
  sidecarImage: string | undefined
  platform: FolderPlatform | KubernetesPlatform
}

/** Folders in place of a cluster, to try the webhook out. */
export interface FolderPlatform {
  kind: 'folder'
  clusterFolder: string
  certificatesFolder: string
}

export interface KubernetesPlatform {
  kind: 'kubernetes'
  /** The webhook's own pod. */
  pod: { namespace: string; name: string | undefined }
  /** The Services that the API server calls. */
  services: [string, ...string[]]
  certificates: { folder: string } | { secretName: string; lifetimes: Partial<Lifetimes> }
  /** Names of the webhook configurations whose caBundle has to contain the certificate's authority. */
  mutating: readonly string[]
  validating: readonly string[]
  /** Absent for the default of the audit. */
  auditInterval: number | undefined
}

type Variables = Readonly<Record<string, string | undefined>>

/** Reads the environment variables that docs/installation.md and the manifests describe; fails with every problem in them. */
export function readEnvironment(env: Variables): Result<Readonly<Environment>> {
  const reader = new Reader(env)
  const environment: Environment = {
    host: reader.text('HOST') ?? '::',
    port: reader.port('PORT') ?? 8443,
    logLevel: reader.logLevel('LOG_LEVEL') ?? 'info',
    drainTimeMs: reader.seconds('DRAIN_SECONDS') ?? 15_000,
    configurationFile: reader.text('CONFIGURATION'),
    sidecarImage: reader.text('SIDECAR_IMAGE'),
    platform: reader.text('CLUSTER_FOLDER') === undefined ? kubernetes(reader) : folder(reader),
  }
  return reader.problems.length > 0 ? fail(...reader.problems) : ok(Object.freeze(environment))
}

function folder(reader: Reader): FolderPlatform {
  // Without an API server, the image of the own pod is unknown.
  reader.required('SIDECAR_IMAGE')
  return {
    kind: 'folder',
    clusterFolder: reader.required('CLUSTER_FOLDER'),
    certificatesFolder: reader.required('CERTIFICATES_FOLDER'),
  }
}

function kubernetes(reader: Reader): KubernetesPlatform {
  const certificatesFolder = reader.text('CERTIFICATES_FOLDER')
  const hasImage = reader.text('SIDECAR_IMAGE') !== undefined
  return {
    kind: 'kubernetes',
    pod: {
      namespace: reader.required('POD_NAMESPACE'),
      name: hasImage ? reader.text('POD_NAME') : reader.required('POD_NAME'),
    },
    services: reader.services('SERVICE_NAMES'),
    certificates:
      certificatesFolder === undefined
        ? { secretName: reader.required('CERTIFICATES'), lifetimes: lifetimes(reader) }
        : { folder: certificatesFolder },
    mutating: reader.names('MUTATING_CONFIGURATION'),
    validating: reader.names('VALIDATING_CONFIGURATION'),
    auditInterval: reader.seconds('AUDIT_SECONDS'),
  }
}

function lifetimes(reader: Reader): Partial<Lifetimes> {
  const authority = reader.seconds('CERTIFICATE_AUTHORITY_SECONDS')
  const leaf = reader.seconds('CERTIFICATE_SECONDS')
  const propagationMs = reader.seconds('CERTIFICATE_SETTLE_SECONDS')
  return {
    ...(authority === undefined ? {} : { authorityMs: authority }),
    ...(leaf === undefined ? {} : { leafMs: leaf }),
    ...(propagationMs === undefined ? {} : { propagationMs }),
  }
}

const itemsOf = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** Reads variables and collects what is wrong with them. An empty variable counts as not set. */
export class Reader {
  readonly problems: string[] = []
  readonly #env: Variables

  constructor(env: Variables) {
    this.#env = env
  }

  text(name: string): string | undefined {
    return this.#env[name] || undefined
  }

  required(name: string): string {
    const text = this.text(name)
    if (text === undefined) this.#problem(name, 'is not set')
    return text ?? ''
  }

  names(name: string): string[] {
    const text = this.text(name)
    return itemsOf(text ?? '')
  }

  /** Returns milliseconds. */
  seconds(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (!/^\d+(\.\d+)?$/.test(text)) this.#problem(name, `is not a number of seconds: ${text}`)
    return 1000 * Number(text)
  }

  port(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) this.#problem(name, `is not a port: ${quote(text)}`)
    return Number(text)
  }

  logLevel(name: string): LogLevel | undefined {
    const text = this.text(name)
    const level = logLevels.find((one) => one === text)
    if (text !== undefined && level === undefined)
      this.#problem(name, `is ${quote(text)}: expected one of ${logLevels.join(', ')}${didYouMean(text, logLevels)}`)
    return level
  }

  services(name: string): [string, ...string[]] {
    const text = this.required(name)
    const [first = '', ...others] = new Set(itemsOf(text))
    if (first === '' && text !== '') this.#problem(name, 'names no Service')
    return [first, ...others]
  }

  #problem(name: string, text: string): void {
    this.problems.push(`the environment variable ${name} ${text}`)
  }
}
