import type { Cloud } from '../shared/clouds/clouds.ts'
import { trusting } from '../shared/clouds/trusting.ts'
import { isVaultAllowed, vaultNameIn } from '../shared/clouds/vault-rules.ts'
import { openVaults } from '../shared/vault/open-vaults.ts'
import type { VaultRequest } from '../shared/vault/key-vault/client.ts'
import type { SignIn } from '../shared/vault/sign-in/credential.ts'
import type { Configuration } from '../webhook/configuration/configuration.ts'
import type { WatchedVault } from './watch/watcher.ts'

type Clouds = Pick<Configuration, 'cloud' | 'clouds' | 'caCertificates'>

export interface VaultOptions {
  configuration: () => Clouds
  environment: Readonly<Record<string, string | undefined>>
  onRequest?: (request: VaultRequest) => void
  onSignIn?: (signIn: SignIn) => void
}

/** Opens a vault as the coordinator's own identity sees it. Its requests fail with a VaultFailure. */
export function openVault(url: string, { configuration, environment, ...hooks }: VaultOptions): WatchedVault {
  const { caCertificates, ...clouds } = configuration()
  const [name, cloud] = cloudOf(url, clouds)
  const object = { vault: url, identity: 0 }
  const settings = {
    // Which vaults are watched is decided by names: nothing but a vault's own domain may get a token for it.
    clouds: { [name]: { ...trusting(cloud, caCertificates), verifyChallengeResource: true } },
    identities: [{ cloud: name }],
    objects: [object as never],
  }
  const vaults = openVaults(settings, environment, hooks)
  if (!vaults.ok) throw new Error(vaults.problems.join('; '))
  const vault = vaults.value.of(object)
  return {
    list(...args) {
      vault.beginPoll()
      return vault.list(...args)
    },
    versions(...args) {
      vault.beginPoll()
      return vault.versions(...args)
    },
    close: () => vaults.value.close(),
  }
}

/** The cloud of a vault: the one that has it by name, else the administrator's default. */
function cloudOf(url: string, { cloud, clouds }: Pick<Clouds, 'cloud' | 'clouds'>): [name: string, cloud: Cloud] {
  const byName = Object.entries(clouds).find(([, one]) => vaultNameIn(url, one) !== undefined)
  return byName ?? [cloud, clouds[cloud] as Cloud]
}

/** Whether a vault has a name, which may also be its URL. */
export function isNamed({ clouds }: Pick<Configuration, 'clouds'>, url: string, name: string): boolean {
  return name === url || Object.values(clouds).some((cloud) => vaultNameIn(url, cloud) === name)
}

/** Whether the administrator has a vault watched for the pods of a namespace. */
export function isWatched(
  { coordinator, clouds }: Pick<Configuration, 'coordinator' | 'clouds'>,
  namespace: string,
  url: string,
): boolean {
  const names = Object.values(clouds).map((cloud) => vaultNameIn(url, cloud))
  const name = names.find((one) => one !== undefined)
  return coordinator !== undefined && isVaultAllowed(coordinator.vaults, namespace, { url, name })
}
