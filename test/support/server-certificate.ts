import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openssl } from './openssl.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Creates a folder with `tls.crt` and `tls.key` for localhost, made by OpenSSL and removed after the test. */
export function certificateFolder(t: Pick<Test, 'teardown'>): { folder: string; cert: string; key: string } {
  const folder = temporaryFolder(t)
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
  )
  return { folder, cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}
