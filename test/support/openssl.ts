import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Runs `openssl` and returns what it prints. @throws Error with its messages if it fails */
export const opensslBytes = (...args: string[]): Buffer =>
  execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] })

/** The same as a text without surrounding white space. */
export const openssl = (...args: string[]): string =>
  opensslBytes(...args)
    .toString()
    .trim()

/** Whether OpenSSL accepts `leaf` for a server called `name`, trusting `bundle` only, at a time (milliseconds since 1970). */
export function verifies(
  directory: string,
  { leaf, bundle, name, at }: { leaf: string; bundle: string; name: string; at: number },
): boolean {
  const [leafFile, bundleFile] = [join(directory, 'leaf.pem'), join(directory, 'bundle.pem')]
  writeFileSync(leafFile, leaf)
  writeFileSync(bundleFile, bundle)
  const seconds = String(Math.floor(at / 1000))
  const strict = ['-x509_strict', '-purpose', 'sslserver', '-no-CApath', '-no-CAstore', '-attime', seconds]
  try {
    return openssl('verify', ...strict, '-verify_hostname', name, '-CAfile', bundleFile, leafFile).endsWith(': OK')
  } catch {
    return false
  }
}

/** The text of the named extensions, without blank lines, as `openssl x509 -ext` prints them. */
export function extensions(directory: string, pem: string, names: string): string[] {
  const file = join(directory, 'certificate.pem')
  writeFileSync(file, pem)
  return openssl('x509', '-in', file, '-noout', '-ext', names)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** A field of the certificate, as `openssl x509 -noout -<field>` prints it after the equals sign. */
export function field(directory: string, pem: string, name: 'serial' | 'subject' | 'startdate' | 'enddate'): string {
  const file = join(directory, 'certificate.pem')
  writeFileSync(file, pem)
  return openssl('x509', '-in', file, '-noout', `-${name}`).replace(/^[^=]*=\s*/, '')
}
