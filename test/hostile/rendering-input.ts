import { Pki } from '../support/pki.ts'
import { measure, type Measured } from './measured.ts'
import type { RenderingInput } from './rendering-times.ts'

/**
 * Returns how long rendering blocks the sidecar's event loop: each input of `rendering-times.ts`, and at the end a calm run.
 * @param owner has a folder for certificates
 * @param mostTimes see {@link measure}
 */
export async function renderingTimes(
  owner: ConstructorParameters<typeof Pki>[0],
  mostTimes: number,
): Promise<Measured[]> {
  const pki = new Pki(owner)
  const chain = pki.chain('P-256', 3)
  const input: RenderingInput = {
    ...chain,
    authorities: Array.from({ length: 15 }, () => pki.certificate('Authority', pki.key('P-521'), 'ca')),
    container: pki.pkcs12(chain).toString('base64'),
  }
  return measure('rendering-times.ts', mostTimes, JSON.stringify(input))
}
