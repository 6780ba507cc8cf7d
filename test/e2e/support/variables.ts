import { randomBytes } from 'node:crypto'
import { secretsVolume } from '../../../shared/names.ts'
import type { Pod } from './pods.ts'

/** A text that is nowhere else. */
export const canary = (name: string): string => `${name}-${randomBytes(12).toString('hex')}`

/** The script of an app that goes on until SIGTERM. */
export const untilSigterm = "trap 'exit 0' TERM\nwhile :; do sleep 1 & wait $!; done"

/** A variable of a container. */
export interface Entry {
  name: string
  valueFrom?: { fileKeyRef?: { volumeName: string } }
}

/** The names of the variables that come from files of the volume, by container; none for containers without. */
export function variablesOf({ spec }: Pick<Pod, 'spec'>): Record<string, string[]> {
  const isOurs = ({ valueFrom }: Entry): boolean => valueFrom?.fileKeyRef?.volumeName === secretsVolume
  const all = [...(spec.initContainers ?? []), ...spec.containers]
  const found = all.map(({ name, env = [] }) => [name, env.filter(isOurs).map((entry) => entry.name)] as const)
  return Object.fromEntries(found.filter(([, names]) => names.length > 0))
}
