/** A file as it lies in the volume. */
export interface SetFile {
  content: Uint8Array
  /** Permission bits. */
  mode: number
}

/** All files of a pod by their path under the mount: what is switched as a whole. */
export type FileSet = ReadonlyMap<string, SetFile>
