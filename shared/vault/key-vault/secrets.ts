import type { TokenCredential } from '@azure/core-auth'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import { Incomplete, listed, mapped, type ClientOptions, type Objects } from './sdk-objects.ts'

export function createSecrets(url: string, credential: TokenCredential, options: ClientOptions): Objects {
  // The type knows the versions that were out when the SDK was; a cloud may speak another.
  const client = new SecretClient(url, credential, options as SecretClientOptions)
  return {
    list: () => mapped(client.listPropertiesOfSecrets()),
    versions: (name) => mapped(client.listPropertiesOfSecretVersions(name)),
    async get(name, version) {
      const { value, properties } = await client.getSecret(name, version === undefined ? {} : { version })
      if (typeof value !== 'string') throw new Incomplete('it holds no value')
      const { contentType, certificateKeyId } = properties
      return {
        ...listed(properties),
        content: { secret: value },
        ...(contentType !== undefined && contentType !== null && { contentType }),
        ...(certificateKeyId && { keyId: certificateKeyId }),
      }
    },
  }
}
