import type { Pod, Volume } from '../pod/pod.ts'

/** Volumes that Velero's file system backup leaves out. {@link https://velero.io/docs/main/file-system-backup/} */
const exclusionAnnotation = 'backup.velero.io/backup-volumes-excludes'

/** Returns the annotation that excludes volumes from backups, after the pod's own, each name once. */
export function backupExclusion(pod: Pod, volumes: readonly Volume[]): Record<string, string> {
  const written = (pod.metadata?.annotations?.[exclusionAnnotation] ?? '').split(',').map((name) => name.trim())
  const names = new Set([...written, ...volumes.map(({ name }) => name)].filter((name) => name !== ''))
  return { [exclusionAnnotation]: [...names].join(',') }
}
