import { sidecarScript } from '../../shared/names.ts'
import type { ContainerConfig } from './kubelet.ts'
import type { Watched } from './processes.ts'

/** Runs containers as processes of this machine. */
export interface Runtime {
  start(config: ContainerConfig, program: Program): Promise<Watched>
  /** The content of the container's termination log. */
  terminationMessage(container: string): string
  /** Ends every running process at once. */
  close(): Promise<void>
}

/** A file of a container's image: its path there, and where it is on this machine. */
export interface Program {
  path: string
  source: string
}

export const sidecarProgram = (source: string): Program => ({ path: sidecarScript, source })

/** Translates a word of a container's command if it names node or the program. */
export const onMachine = (word: string, { path, source }: Program): string =>
  word === 'node' ? process.execPath : word === path ? source : word
