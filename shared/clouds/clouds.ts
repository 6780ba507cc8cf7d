import type { Cloud } from './schema.ts'
import { fail, ok, type Result } from '../result.ts'
import { quote } from '../messages.ts'

export type { Cloud } from './schema.ts'

export const builtInClouds: Readonly<Record<string, Cloud>> = {
  AzurePublicCloud: { authorityHost: 'https://login.microsoftonline.com', vaultSuffix: 'vault.azure.net' },
  AzureUSGovernmentCloud: { authorityHost: 'https://login.microsoftonline.us', vaultSuffix: 'vault.usgovcloudapi.net' },
  AzureChinaCloud: { authorityHost: 'https://login.chinacloudapi.cn', vaultSuffix: 'vault.azure.cn' },
}

/** Whether a text is the name of a vault: 3 to 24 letters, digits and dashes. {@link https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates} */
export const isVaultName = (text: string): boolean => /^[-A-Za-z0-9]{3,24}$/.test(text)

/**
 * Returns the URL of a vault, without a trailing slash and with a lower-case host: `my-kv` in the public cloud is
 * `https://my-kv.vault.azure.net`. A URL is kept as it is if it has only a host and a port.
 */
export function vaultUrl(vault: string, cloud: Cloud): Result<string> {
  if (isVaultName(vault)) return ok(`https://${vault.toLowerCase()}.${cloud.vaultSuffix}`)
  if (!/^https?:/i.test(vault)) {
    return fail('expected the name of a vault (3 to 24 letters, digits and dashes) or its https:// URL')
  }
  let url: URL
  try {
    url = new URL(vault)
  } catch {
    return fail(`${quote(vault)} is not a URL`)
  }
  if (url.protocol !== 'https:') return fail('expected an https:// URL')
  if (url.username || url.password || url.search || url.hash || url.pathname !== '/') {
    return fail('expected only a host, such as https://my-kv.vault.azure.net')
  }
  if (url.hostname.includes('.managedhsm.')) {
    return fail('managed HSMs are not supported: use a vault')
  }
  if (url.hostname.includes('.privatelink.')) {
    return fail(
      `use the public name https://${url.hostname.split('.', 1)[0]}.${cloud.vaultSuffix}: a private endpoint answers to it inside the network`,
    )
  }
  return ok(url.origin)
}
