/** A file made from an object, before the settings' permissions are applied. */
export interface RenderedFile {
  /** Relative to the mount. */
  path: string
  content: Uint8Array
}

/** The result of rendering: files, and sentences for the log about valid input that is probably a mistake. */
export interface Rendered {
  files: RenderedFile[]
  warnings: string[]
}

/**
 * Limit of a bundle in bytes and of a template's output in UTF-16 units: a template in a loop could otherwise fill the
 * volume, which is memory.
 */
export const maxOutput = 1024 * 1024

/** An object whose content cannot be rendered; the message says which, why and what to do, and contains no value. */
export class RenderFailure extends Error {
  override name = 'RenderFailure'
}

/**
 * Returns why rendering failed. Only the injector's own messages are passed on: a parser's may quote its input, which
 * is secret.
 */
export const reasonOf = (cause: unknown): string =>
  cause instanceof RenderFailure ? cause.message : `its content cannot be read (${(cause as Error).name})`

/** A file as it is in the volume. */
export interface SetFile {
  content: Uint8Array
  /** Permission bits. */
  mode: number
}

/** All files of a pod by their path under the mount, which are switched as a whole. */
export type FileSet = ReadonlyMap<string, SetFile>
