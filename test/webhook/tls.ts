import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A folder with `tls.crt` and `tls.key` for localhost, made by OpenSSL and gone with the test. */
export function certificateFolder(t: Test): { folder: string; cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'akv-webhook-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' }) // prettier-ignore
  return { folder, cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}
