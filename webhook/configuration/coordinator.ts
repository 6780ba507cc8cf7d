import { longestAuthorities } from '../../shared/coordination/limits.ts'
import { Type, type Static } from 'typebox'
import type { VaultRule } from '../../shared/clouds/vault-rules.ts'
import { parseDuration } from '../../shared/duration.ts'
import { certificateProblem } from '../../shared/pem.ts'

const strict = { additionalProperties: false }
const optional = Type.Optional
const Patterns = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true, description })
const Duration = (description: string, value: string) => optional(Type.String({ description, default: value }))

/** The coordinator in the administrator's file. */
export const CoordinatorFile = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      description:
        "URL of the coordinator's Service, such as `https://akv-injector-coordinator.akv-injector-system.svc.cluster.local.:8443`",
    }),
    caCertificates: optional(
      Type.String({
        minLength: 1,
        description:
          "PEM certificates that sidecars trust for the coordinator, in place of the public ones; they are part of each pod's settings",
      }),
    ),
    caCertificatesFile: optional(
      Type.String({
        minLength: 1,
        description: "a file in the webhook's container with the `caCertificates`, read again when it changes",
      }),
    ),
    vaults: Type.Array(
      Type.Object(
        {
          namespaces: Patterns('names of namespaces; `*` matches any characters'),
          vaults: Patterns('names of vaults or `https://` URLs; `*` matches any characters except a dot'),
        },
        strict,
      ),
      {
        minItems: 1,
        description:
          'which vaults the coordinator watches for the pods of which namespaces; pods with other vaults only poll',
      },
    ),
    watchInterval: Duration('how often the coordinator looks at the metadata of a vault, 1s at least', '15s'),
    heartbeat: Duration('how often the coordinator sends each sidecar a heartbeat, 1s at least', '20s'),
    coverageAge: Duration(
      "a sidecar polls again if the coordinator's last look at its vault is older; more than `watchInterval` and `heartbeat` together",
      '60s',
    ),
    reconnect: Duration(
      'over how long sidecars come back that lost their sessions at the same moment, 1s at least',
      '30s',
    ),
    startGrace: Duration(
      'for how long after its start the coordinator calls the state of a rotation unknown, because sidecars come back, 1s at least',
      '3m',
    ),
    lostGrace: Duration(
      'for how long a session that was lost makes the state of a rotation unknown, 1s at least',
      '10m',
    ),
    refusedAfter: Duration(
      'for how long a vault refuses an object before the coordinator writes an Event on the pod, 1s at least',
      '10m',
    ),
    turnGrace: Duration(
      'for how long after its start the coordinator grants no turn, because sidecars come back and say which they hold, and how long a pod that has ended counts as down unless a new one joins, 1s at least',
      '2m',
    ),
    hintRate: optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        default: 300,
        description:
          'requests a second to a vault that a change may cause, beyond the first 1,000; halve it if two clusters use a vault',
      }),
    ),
  },
  {
    ...strict,
    description:
      'the coordinator, which watches vaults so that pods need not poll; without it, or while it is away, pods poll',
  },
)

/** The same with every default filled in; durations are in milliseconds. */
export interface Coordinator {
  url: string
  caCertificates?: string
  vaults: readonly VaultRule[]
  watchInterval: number
  heartbeat: number
  coverageAge: number
  reconnect: number
  startGrace: number
  lostGrace: number
  refusedAfter: number
  turnGrace: number
  hintRate: number
}

const durations = [
  'watchInterval',
  'heartbeat',
  'coverageAge',
  'reconnect',
  'startGrace',
  'lostGrace',
  'refusedAfter',
  'turnGrace',
] as const
const leastMs = 1_000

/**
 * Fills in what the file leaves out.
 * @param read reads the file that it may name
 * @param problems gets what is wrong, with the path of the field
 */
export function readCoordinator(
  file: Static<typeof CoordinatorFile> | undefined,
  read: (path: string) => string,
  problems: string[],
): Coordinator | undefined {
  if (file === undefined) return undefined
  const { url, vaults, hintRate = 300 } = file
  const caCertificates = readCertificates(file, read, problems)
  const times = Object.fromEntries(durations.map((name) => [name, milliseconds(name, file)])) as Pick<
    Coordinator,
    (typeof durations)[number]
  >
  for (const name of durations) {
    if (times[name] < leastMs) problems.push(`coordinator.${name}: expected at least 1s`)
  }
  if (times.coverageAge <= times.watchInterval + times.heartbeat)
    problems.push('coordinator.coverageAge: expected more than watchInterval and heartbeat together')
  if ((caCertificates?.length ?? 0) > longestAuthorities)
    problems.push(
      `coordinator.caCertificates: with those of the file, expected at most ${longestAuthorities} characters`,
    )
  return { url: url.replace(/\/$/, ''), vaults, hintRate, ...times, ...(caCertificates && { caCertificates }) }
}

function milliseconds(name: (typeof durations)[number], file: Static<typeof CoordinatorFile>): number {
  const { default: value } = CoordinatorFile.properties[name] as { default?: string }
  const parsed = parseDuration(file[name] ?? value ?? '')
  // The grammar reports what is no duration.
  return parsed.ok ? parsed.value : NaN
}

function readCertificates(
  { caCertificates, caCertificatesFile }: Static<typeof CoordinatorFile>,
  read: (path: string) => string,
  problems: string[],
): string | undefined {
  if (caCertificatesFile === undefined) return caCertificates
  const where = `coordinator.caCertificatesFile: ${caCertificatesFile}`
  try {
    const text = read(caCertificatesFile)
    const problem = certificateProblem(text)
    if (problem !== undefined) problems.push(`${where}: ${problem}`)
    return [caCertificates, text].filter(Boolean).join('\n')
  } catch (error) {
    problems.push(`${where}: ${(error as Error).message}`)
    return caCertificates
  }
}
