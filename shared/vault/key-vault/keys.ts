import type { TokenCredential } from '@azure/core-auth'
import { KeyClient, type JsonWebKey as SdkKey } from '@azure/keyvault-keys'
import type { JsonWebKey } from 'node:crypto'
import { Incomplete, listed, mapped, type ClientOptions, type Objects } from './sdk-objects.ts'

export function createKeys(url: string, credential: TokenCredential, options: ClientOptions): Objects {
  const client = new KeyClient(url, credential, options)
  return {
    list: () => mapped(client.listPropertiesOfKeys()),
    versions: (name) => mapped(client.listPropertiesOfKeyVersions(name)),
    async get(name, version) {
      const { key, properties } = await client.getKey(name, version === undefined ? {} : { version })
      return { ...listed(properties), content: { key: publicKey(key) } }
    },
  }
}

/** Returns a key as the vault does, including `RSA-HSM` and missing zeros, without members that no public key has. */
function publicKey({ kty, n, e, crv, x, y }: SdkKey = {}): JsonWebKey {
  if (!kty || !(n && e) === !(crv && x && y)) throw new Incomplete('it holds no public key')
  if (n && e) return { kty, n: text(n), e: text(e) }
  return { kty, crv: crv!, x: text(x!), y: text(y!) }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
