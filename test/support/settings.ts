import type { ObjectSpec } from '../../shared/objects/spec.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { objectSpec } from './object-spec.ts'

export const vaultUrl = (name: string): string => `https://${name}.vault.emulator.example`

/**
 * Parses `secret/db-password` or `other-kv:cert/web-tls@<version>`: an object of the vault `my-kv` unless another is
 * named.
 */
export function objectOf(text: string, overrides: Partial<ObjectSpec> = {}): ObjectSpec {
  const [, vault = 'my-kv', type = 'secret', name = '', version] =
    /^(?:([\w-]+):)?(?:(secret|key|cert)\/)?([\w-]+)(?:@(\w+))?$/.exec(text) ?? []
  return objectSpec(name, {
    vault: vaultUrl(vault),
    type: type as ObjectSpec['type'],
    ...(version !== undefined && { version }),
    ...overrides,
  })
}

/** Settings of a small pod, for a test to change. */
export function settingsWith(objects: (string | ObjectSpec)[], overrides: Partial<Settings> = {}): Settings {
  return {
    schema: 1,
    version: '0.0.0-test',
    mountPath: '/mnt/secrets',
    mode: 'native',
    clouds: { Emulator: { authorityHost: 'https://login.emulator.example', vaultSuffix: 'vault.emulator.example' } },
    identities: [{ cloud: 'Emulator', tenantId: 'tenant', clientId: 'client' }],
    objects: objects.map((object) => (typeof object === 'string' ? objectOf(object) : object)),
    templates: {},
    bundles: {},
    fileMode: 0o444,
    onDelete: 'retain',
    pollInterval: 120_000,
    bounds: { pollInterval: { min: 30_000, max: 86_400_000 } },
    fullRefresh: 3_600_000,
    startupTimeout: 300_000,
    expiryHorizon: 14 * 86_400_000,
    logLevel: 'info',
    notify: { splay: 0 },
    admitted: { containers: [] },
    ...overrides,
  }
}
