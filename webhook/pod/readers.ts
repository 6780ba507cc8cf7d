import { objectName, type ObjectSpec } from '../../shared/object-spec.ts'
import type { Settings } from '../../shared/settings.ts'
import type { Notes } from '../reasons.ts'
import { allContainers, type Container, type Pod } from './pod.ts'
import type { SidecarUser } from './security-context.ts'

type Files = Pick<Settings, 'objects' | 'fileMode'>

/**
 * Warns if a container that gets the files cannot read one: its user, as far as the pod says it, against the file's mode and owner.
 * @param names of the containers with the mount
 */
export function checkReaders(pod: Pod, names: readonly string[], files: Files, owner: SidecarUser, notes: Notes): void {
  const mounted = new Set(names)
  const fsGroup = pod.spec.securityContext?.fsGroup
  for (const container of allContainers(pod).filter(({ name }) => mounted.has(name))) {
    const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser
    if (user === undefined || (user === 0 && readsAll(container))) continue
    const groups = groupsOf(pod, container)
    const unreadable = Map.groupBy(
      files.objects.filter(({ mode = files.fileMode }) => {
        if (user === owner.user) return (mode & 0o400) === 0
        return (mode & (groups.has(fsGroup ?? owner.group) ? 0o040 : 0o004)) === 0
      }),
      ({ mode }) => mode ?? files.fileMode,
    )
    for (const [mode, objects] of unreadable) {
      notes.warn('file-mode', `${container.name} runs as ${user}, but mode ${octal(mode)} of ${named(objects)} is for owner ${owner.user}: set run-as-user or mode`) // prettier-ignore
    }
  }
}

/** Warns if an image is known to refuse a private key that has the mode of other files. */
export function checkKeys(pod: Pod, names: readonly string[], files: Files, notes: Notes): void {
  const mounted = new Set(names)
  const keys = files.objects.filter(({ split, mode = files.fileMode }) => split && (mode & 0o077) !== 0)
  const server = allContainers(pod).find(({ name, image = '' }) => mounted.has(name) && isPostgres(image))
  if (keys.length === 0 || server === undefined) return
  notes.warn('key-mode', `PostgreSQL refuses the key of ${named(keys)} unless it owns it and mode is 0400: set mode and run-as-user`) // prettier-ignore
}

const isPostgres = (image: string): boolean => /(^|[/_-])(postgres|postgresql|postgis|timescaledb)([-:@]|$)/.test(image)

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

const named = ([first, ...others]: ObjectSpec[]): string =>
  `${first === undefined ? '' : objectName(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`

/** Root reads everything, unless its capabilities for that are dropped. */
function readsAll({ securityContext }: Container): boolean {
  const { add, drop } = securityContext?.capabilities ?? {}
  const has = (list: string[] | null | undefined, ...capabilities: string[]) =>
    list?.some((one) => capabilities.includes(one.toUpperCase().replace(/^CAP_/, '')))
  return has(add, 'ALL', 'DAC_OVERRIDE', 'DAC_READ_SEARCH') || !has(drop, 'ALL', 'DAC_OVERRIDE')
}

/** A user without a group of its own in the pod is taken to be in that of its image, which is not known: root's, as a rule. */
function groupsOf({ spec }: Pod, { securityContext }: Container): Set<number> {
  const { fsGroup, supplementalGroups } = spec.securityContext ?? {}
  const group = securityContext?.runAsGroup ?? spec.securityContext?.runAsGroup ?? 0
  // Each of the containers looks at them; a process has 65,536 at most, and a pod a few.
  return new Set([group, ...(supplementalGroups ?? []).slice(0, 1_000), ...(fsGroup === undefined ? [] : [fsGroup])])
}
