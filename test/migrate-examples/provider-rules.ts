import type { Manifest } from '../../cli/documents.ts'
import { objectsOf } from './expected.ts'

const encodings: readonly string[] = ['utf-8', 'hex', 'base64']

/**
 * Whether the Azure provider refuses to mount a class: a parameter is missing, or an encoding is none
 * ({@link https://github.com/Azure/secrets-store-csi-driver-provider-azure/blob/master/pkg/provider/validate.go}).
 */
export function isRefusedByProvider(manifest: Manifest): boolean {
  const { parameters = {} } = manifest.spec as { parameters?: Record<string, string> }
  const tenant = parameters['tenantID'] ?? parameters['tenantId']
  if ([parameters['keyvaultName'], parameters['objects'], tenant].some((value) => (value ?? '') === '')) return true
  return objectsOf(manifest).some(
    ({ objectEncoding }) => (objectEncoding ?? '') !== '' && !encodings.includes(objectEncoding!.toLowerCase()),
  )
}
