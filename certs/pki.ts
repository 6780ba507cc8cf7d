import { createAuthority, issueLeaf } from './authority.ts'
import { createSegment } from './segments.ts'
import { isKeyOf, parseAuthorities, parseLeaf } from './x509.ts'

/** All functions that parse or create certificates or random values; the rest of this folder only passes their results on. */
export const pki = { createAuthority, createSegment, issueLeaf, isKeyOf, parseAuthorities, parseLeaf }

export type Pki = {
  [Name in keyof typeof pki]: (...args: Parameters<(typeof pki)[Name]>) => ReturnType<(typeof pki)[Name]>
}
