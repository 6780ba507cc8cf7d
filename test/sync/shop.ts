import type { Test } from 'tap'
import { realClock } from '../../shared/clock.ts'
import { openVaults } from '../../shared/vault/open-vaults.ts'
import type { VaultRequest } from '../../shared/vault/key-vault/client.ts'
import { ClassSync, type SyncPoll } from '../../sync/class-sync.ts'
import { createSyncCluster } from '../../sync/cluster.ts'
import { syncAsAnnotation } from '../../sync/names.ts'
import { SizeBudget } from '../../sync/size-budget.ts'
import { startVaultFixture } from '../shared/vault/fixture.ts'
import { configurationOf } from '../webhook/default-configuration.ts'
import { ObjectApi } from './object-api.ts'

const core = '/api/v1/namespaces/shop'
export const secretPath = (name: string): string => `${core}/secrets/${name}`
export const classPath = '/apis/secrets-store.csi.x-k8s.io/v1/namespaces/shop/secretproviderclasses/web'
export const accountPath = `${core}/serviceaccounts/web`

/** The class `web` of the namespace `shop`, its vault in the emulator, and an API server in memory. */
export async function startShop(t: Test, spec: (vault: string) => object, annotations: Record<string, string> = {}) {
  let ahead = 0
  const fixture = await startVaultFixture({ now: () => Date.now() + ahead })
  t.teardown(() => fixture.end())
  const { emulator, issuer, clientId, cloud } = fixture
  const name = 'shop-kv'
  const api = new ObjectApi()
  api.token = () => issuer.token({ namespace: 'shop', serviceAccount: 'web' })
  api.put(accountPath, {
    metadata: {
      annotations: {
        'azure.workload.identity/client-id': clientId,
        'azure.workload.identity/tenant-id': emulator.tenant,
      },
    },
  })
  const putClass = (more: Record<string, string> = {}, uid = 'uid-web') =>
    api.put(classPath, {
      metadata: { name: 'web', uid, annotations: { [syncAsAnnotation]: 'web', ...annotations, ...more } },
      spec: withoutIds(spec(name)),
    })
  putClass()
  const port = new URL(emulator.url(name)).port
  const configuration = configurationOf({
    cloud: 'Emulator',
    clouds: { Emulator: { ...cloud, vaultSuffix: `vault.localhost:${port}` } },
  })
  const abort = new AbortController()
  const budget = new SizeBudget({ total: 300_000, perNamespace: 200_000 })
  const hooks = { onRequest: (_request: VaultRequest): void => undefined }
  const create = () =>
    new ClassSync('shop', 'web', {
      ...{ cluster: createSyncCluster(api), clock: realClock, random: Math.random, programNamespace: 'system' },
      budget,
      configuration: () => configuration,
      openVaults: (plan, readText) => openVaults(plan, {}, { readText, onRequest: (one) => hooks.onRequest(one) }),
      abort: abort.signal,
    })
  let sync = create()
  t.teardown(() => sync.close())
  return {
    ...{ fixture, api, hooks, putClass, budget },
    vault: emulator.vault(name),
    poll: (): Promise<SyncPoll> => sync.poll(),
    /** Ends the program. */
    end: () => abort.abort(),
    /** Advances the vault's clock, which has whole seconds. */
    pass: (milliseconds: number) => void (ahead += milliseconds),
    /** Forgets what the program knows, as its end does. */
    restart: () => {
      sync.close()
      sync = create()
    },
    /** The values of a Secret as texts. */
    values: (secret: string): Record<string, string> => {
      const data = (api.objects.get(secretPath(secret))?.['data'] ?? {}) as Record<string, string>
      return Object.fromEntries(
        Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
      )
    },
  }
}

/** The IDs of the ServiceAccount apply. */
function withoutIds(spec: object): object {
  const { parameters, ...rest } = spec as { parameters: Record<string, string> }
  const { clientID: _client, tenantId: _tenant, ...others } = parameters
  return { ...rest, parameters: others }
}
