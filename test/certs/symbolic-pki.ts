/**
 * Certificates as readable symbols, so that a test can issue thousands: `[{...}]` stands for a certificate in PEM, and
 * two of them one after the other for a bundle.
 */
import { BACKDATE_MS } from '../../certs/authority.ts'
import type { Pki } from '../../certs/pki.ts'
import type { Authority, Leaf } from '../../certs/x509.ts'

export class SymbolicPki implements Pki {
  /** every authority ever created */
  readonly known: Authority[] = []
  /** IDs of the authorities that issued a certificate while none was valid */
  readonly urgent = new Set<string>()
  readonly #now: () => number
  readonly #current: () => Leaf | undefined
  #made = 0

  /** `current` is the certificate that the Secret contains. */
  constructor(now: () => number, current: () => Leaf | undefined) {
    this.#now = now
    this.#current = current
  }

  newAuthority(lifetimeMs: number): Authority {
    const times = { notBefore: this.#now() - BACKDATE_MS, notAfter: this.#now() + lifetimeMs }
    const authority = symbol({ id: `A${++this.#made}`, ...times })
    this.known.push(authority)
    return authority
  }

  readonly createAuthority: Pki['createAuthority'] = async ({ lifetimeMs }) => {
    const authority = this.newAuthority(lifetimeMs)
    return { authority, key: `key of ${authority.id}` }
  }

  readonly createSegment = (): string => String(++this.#made).padStart(32, '0')

  readonly issueLeaf: Pki['issueLeaf'] = async ({ authority, key, now, lifetimeMs }) => {
    if (key !== `key of ${authority.id}`) throw new Error('not its key')
    const id = `L${++this.#made}`
    const current = this.#current()
    if (!current || current.notAfter <= this.#now()) this.urgent.add(authority.id)
    const times = { notBefore: now - BACKDATE_MS, notAfter: Math.min(now + lifetimeMs, authority.notAfter) }
    return { ...symbol({ id, authority: authority.id, ...times }), key: `key of ${id}` }
  }

  readonly isKeyOf: Pki['isKeyOf'] = (pem, key) =>
    typeof pem === 'string' && key === `key of ${read<Authority>(pem)[0]?.id}`

  readonly parseAuthorities: Pki['parseAuthorities'] = (pem) => read<Authority>(pem)

  readonly parseLeaf: Pki['parseLeaf'] = ({ certificate, key, authorities }) => {
    const [leaf] = read<Leaf>(certificate)
    if (!leaf || key !== `key of ${leaf.id}` || !authorities.some(({ id }) => id === leaf.authority)) return undefined
    return { ...leaf, key }
  }
}

function symbol<T extends object>(content: T): T & { pem: string } {
  return { ...content, pem: `[${JSON.stringify(content)}]\n` }
}

function read<T>(pem: string): (T & { pem: string })[] {
  return (pem.match(/^\[\{.*\}\]$/gm) ?? []).flatMap((line) => (JSON.parse(line) as (T & object)[]).map(symbol))
}
