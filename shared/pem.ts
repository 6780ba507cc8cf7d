import { X509Certificate } from 'node:crypto'

/** What is wrong with PEM certificates; OpenSSL ignores what it cannot read between them, so each is looked at. */
export function certificateProblem(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (!blocks) return 'there is no PEM certificate in it'
  try {
    for (const block of blocks) new X509Certificate(block)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
