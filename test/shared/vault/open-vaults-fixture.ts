/** Opens the vaults of objects given in short. */
import type { Cloud } from '../../../shared/clouds/clouds.ts'
import type { Identity } from '../../../shared/settings/codec.ts'
import { openVaults } from '../../../shared/vault/open-vaults.ts'
import { objectSpec } from '../../support/object-spec.ts'

export const clouds: Record<string, Cloud> = {
  public: { authorityHost: 'https://login.example/', vaultSuffix: 'vault.example' },
}
export const environment = { AZURE_TENANT_ID: 't1', AZURE_CLIENT_ID: 'c1' }
export const kv = 'https://my-kv.vault.example'

/** Opens vaults for objects given as [vault, identity]. */
export const open = (
  objects: [vault: string, identity: number][],
  identities: Identity[],
  wanted: { clouds?: Record<string, Cloud>; environment?: Record<string, string> } = {},
) =>
  openVaults(
    {
      clouds: { ...clouds, ...wanted.clouds },
      identities,
      objects: objects.map(([vault, identity]) => objectSpec('db-password', { vault, identity })),
    },
    wanted.environment ?? environment,
  )
