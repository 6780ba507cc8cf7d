import { X509Certificate } from 'node:crypto'

/**
 * Returns what is wrong with PEM certificates. Each is checked, because OpenSSL ignores text between them that it
 * cannot read.
 */
export function certificateProblem(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (!blocks) return 'it has no PEM certificate'
  try {
    for (const block of blocks) new X509Certificate(block)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
