import { objectName, type ObjectSpec } from '../../shared/objects/spec.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { quote } from '../../shared/messages.ts'
import type { PlanContext } from './context.ts'
import { requestsOf } from './finds.ts'
import { allContainers, type Container, type Pod } from '../pod/pod.ts'
import type { SidecarUser } from './sidecar-user.ts'

type Files = Pick<Settings, 'objects' | 'find' | 'fileMode' | 'admitted'>

/** Warns if a container that gets the files cannot read one of them, as far as the pod specifies the container's user. */
export function checkReaders({ pod, diagnostics }: PlanContext, files: Files, owner: SidecarUser): void {
  const mounted = new Set(files.admitted.containers)
  const fsGroup = pod.spec.securityContext?.fsGroup
  for (const container of allContainers(pod).filter(({ name }) => mounted.has(name))) {
    const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser
    if (user === undefined || (user === 0 && readsAll(container))) continue
    const groups = groupsOf(pod, container)
    const unreadable = Map.groupBy(
      requestsOf(files).filter(({ mode = files.fileMode }) => {
        if (user === owner.user) return (mode & 0o400) === 0
        return (mode & (groups.has(fsGroup ?? owner.group) ? 0o040 : 0o004)) === 0
      }),
      ({ mode }) => mode ?? files.fileMode,
    )
    for (const [mode, objects] of unreadable) {
      diagnostics.warn(
        'file-mode',
        `set run-as-user or mode: ${quote(container.name)} runs as user ${user} and cannot read ${named(objects)} with mode ${octal(mode)} and owner ${owner.user}`,
      )
    }
  }
}

/** Warns if the server of a known image would reject a private key because of its file mode. */
export function checkKeys({ pod, diagnostics }: PlanContext, files: Files): void {
  const mounted = new Set(files.admitted.containers)
  const keys = requestsOf(files).filter(({ split, mode = files.fileMode }) => split && (mode & 0o077) !== 0)
  const server = allContainers(pod).find(({ name, image = '' }) => mounted.has(name) && isPostgres(image))
  if (keys.length === 0 || server === undefined) return
  diagnostics.warn(
    'key-mode',
    `set mode: 0400 and run-as-user to PostgreSQL's user: it rejects the private key of ${named(keys)} unless it owns the file and nobody else can read it`,
  )
}

const isPostgres = (image: string): boolean => /(^|[/_-])(postgres|postgresql|postgis|timescaledb)([-:@]|$)/.test(image)

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

const named = ([first, ...others]: readonly Pick<ObjectSpec, 'type' | 'name'>[]): string =>
  `${first === undefined ? '' : objectName(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`

/** Root reads every file, unless the capabilities for that are dropped. */
function readsAll({ securityContext }: Container): boolean {
  const { add, drop } = securityContext?.capabilities ?? {}
  const has = (list: string[] | null | undefined, ...capabilities: string[]) =>
    list?.some((one) => capabilities.includes(one.toUpperCase().replace(/^CAP_/, '')))
  return has(add, 'ALL', 'DAC_OVERRIDE', 'DAC_READ_SEARCH') || !has(drop, 'ALL', 'DAC_OVERRIDE')
}

/** If the pod specifies no group, the image's group applies; it is unknown, but usually root's. */
function groupsOf({ spec }: Pod, { securityContext }: Container): Set<number> {
  const { fsGroup, supplementalGroups } = spec.securityContext ?? {}
  const group = securityContext?.runAsGroup ?? spec.securityContext?.runAsGroup ?? 0
  // Bounded, because each container scans them; a process can have 65,536, but pods have a few.
  return new Set([group, ...(supplementalGroups ?? []).slice(0, 1_000), ...(fsGroup === undefined ? [] : [fsGroup])])
}
