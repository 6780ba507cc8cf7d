/** The pod's files by path, as templates and bundles read them. */
export type Files = ReadonlyMap<string, { readonly content: Uint8Array }>

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Returns bytes as text, or undefined if they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
