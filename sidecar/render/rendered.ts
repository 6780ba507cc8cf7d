/** A file made from an object, before the settings' permissions are applied. */
export interface RenderedFile {
  /** Relative to the mount. */
  path: string
  content: Uint8Array
}

/** What rendering gives: files, and sentences for the log about legal input that is probably not meant so. */
export interface Rendered {
  files: RenderedFile[]
  warnings: string[]
}

/** Bytes of a bundle and UTF-16 units of a template's output: a template that repeats what it sees would else fill the volume, which is memory. */
export const maxOutput = 1024 * 1024

/** An object whose content cannot be made into its files; the message says which, why and what to do, and has no value. */
export class RenderFailure extends Error {
  override name = 'RenderFailure'
}

/** Why rendering failed. Messages of others (a parser's) may quote what they were given, which is secret: only our own are passed on. */
export const reasonOf = (cause: unknown): string =>
  cause instanceof RenderFailure ? cause.message : `its content cannot be read (${(cause as Error).name})`
