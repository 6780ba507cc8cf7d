import type { TokenCredential } from '@azure/core-auth'
import { CertificateClient, type CertificateClientOptions } from '@azure/keyvault-certificates'
import { InCreation, listed, mapped, type ClientOptions, type Objects } from './sdk-objects.ts'

export function createCertificates(url: string, credential: TokenCredential, options: ClientOptions): Objects {
  const client = new CertificateClient(url, credential, options as CertificateClientOptions)
  return {
    list: () => mapped(client.listPropertiesOfCertificates()),
    versions: (name) => mapped(client.listPropertiesOfCertificateVersions(name)),
    async get(name, version) {
      const found = await (version === undefined
        ? client.getCertificate(name)
        : client.getCertificateVersion(name, version))
      if (!found.cer?.length) throw new InCreation('it is in creation')
      return { ...listed(found.properties), content: { certificate: found.cer } }
    },
  }
}
