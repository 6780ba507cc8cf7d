import { sidecarScript } from '../../shared/names.ts'
import type { ContainerConfig } from './kubelet.ts'
import type { Watched } from './processes.ts'

/** Runs containers as processes of this machine. */
export interface Runtime {
  start(config: ContainerConfig, program: Program): Promise<Watched>
  /** What the container left in its termination log. */
  terminationMessage(container: string): string
  /** Ends at once what still runs. */
  close(): Promise<void>
}

/** A file of a container's image: its path there, and where it is on this machine. */
export interface Program {
  path: string
  source: string
}

export const sidecarProgram = (source: string): Program => ({ path: sidecarScript, source })

/** A word of a container's command, where it names node or the program. */
export const onMachine = (word: string, { path, source }: Program): string =>
  word === 'node' ? process.execPath : word === path ? source : word
