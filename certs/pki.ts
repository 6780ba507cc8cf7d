import { createAuthority, issueLeaf } from './authority.ts'
import { createSegment } from './segments.ts'
import { isKeyOf, parseAuthorities, parseLeaf } from './x509.ts'

/** Everything that knows what a certificate looks like, or makes something at random: the rest of this folder moves them around. */
export const pki = { createAuthority, createSegment, issueLeaf, isKeyOf, parseAuthorities, parseLeaf }

export type Pki = {
  [Name in keyof typeof pki]: (...args: Parameters<(typeof pki)[Name]>) => ReturnType<(typeof pki)[Name]>
}
