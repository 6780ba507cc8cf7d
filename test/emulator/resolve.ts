import dns from 'node:dns'
import { matches } from './glob.ts'

/**
 * Makes host names that match `pattern` (such as `*.vault.localhost`) resolve to 127.0.0.1 in this process, as a line in
 * /etc/hosts would; what it returns undoes that. For tests whose clients run in the process of the test.
 */
export function resolveToLoopback(pattern: string): () => void {
  const original = dns.lookup
  const lookup = (host: string, ...rest: [unknown, unknown?]) =>
    (original as (...args: unknown[]) => void)(matches(pattern, host) ? '127.0.0.1' : host, ...rest)
  dns.lookup = lookup as typeof dns.lookup
  return () => {
    dns.lookup = original
  }
}
