import { randomBytes, type JsonWebKey } from 'node:crypto'
import { eventually } from './eventually.ts'
import { forward } from './forward.ts'
import { apply, kubectl } from './kubectl.ts'
import type { Lifetime } from './process.ts'

export const emulatorNamespace = 'key-vault'

/** What the token endpoint received in an assertion: its claims, and whether the issuer's published keys verify it. */
export interface SeenToken {
  /** The host name that the endpoint was called by. */
  host: string
  tenant: string
  client: string
  /** `issued`, or the AADSTS code. */
  outcome: string
  iss: string
  sub: string
  aud: string | string[]
  verified: boolean
}

/** A request to a vault. */
export interface SeenRequest {
  /** Such as `secrets.get`. */
  operation: string
  status: number
}

export interface HeldRequest {
  /** Waits until a request is held. */
  arrived(): Promise<void>
  /** Lets it go on. */
  release(): Promise<void>
}

/** The emulator in the cluster, through its admin port. */
export interface EmulatorClient {
  /** `more`: contentType, attributes and so on; the emulator's admin.ts lists them. */
  setSecret(vault: string, name: string, value: string, more?: object): Promise<void>
  /** Replaces the tags of a secret. */
  tagSecret(vault: string, name: string, tags: Record<string, string>): Promise<void>
  setKey(vault: string, name: string, jwk: JsonWebKey): Promise<void>
  /** Disables the newest version of a secret. */
  disableSecret(vault: string, name: string): Promise<void>
  /** Creates a version of a certificate from PEM texts or PKCS#12 in base64, and so of the secret that backs it. */
  importCertificate(vault: string, name: string, value: string): Promise<void>
  /** Turns a fault on; returns how to end it. */
  fault(rule: object): Promise<() => Promise<void>>
  /** Returns the requests to one vault by operation since the emulator's start. */
  counts(vault: string): Promise<Record<string, number>>
  /** Returns the newest requests to one vault by one client, oldest first. */
  requests(vault: string, client: string): Promise<SeenRequest[]>
  /** Holds the next request that matches. */
  hold(match: object): Promise<HeldRequest>
  tokens(): Promise<SeenToken[]>
  /** Makes a vault accept the tokens of another tenant than the emulator's own. */
  setTenant(vault: string, tenant: string): Promise<void>
  /** Allows ServiceAccounts (subjects) to sign in as a client, in addition to those that already may. */
  federate(credential: object): Promise<void>
  /** Restricts a client, which may otherwise do everything, to reading these objects. */
  allowOnly(client: string, vault: string, ...objects: string[]): Promise<void>
  /** Restricts a client to what these grants allow, or to nothing if there are none. */
  grant(client: string, grants: object[]): Promise<void>
}

/** Opens a connection to the emulator's admin port while the test runs. */
export async function connectEmulator(t: Lifetime): Promise<EmulatorClient> {
  const port = await forward(t, emulatorNamespace, 'service/key-vault-emulator', 8080)
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/admin/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`emulator, ${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  const fault = async (rule: object): Promise<number> => (await call<{ id: number }>('POST', 'faults', rule)).id
  const endFault = (id: number): Promise<void> => call('DELETE', `faults/${id}`)
  return {
    setSecret: (vault, name, value, more) => call('PUT', `vaults/${vault}/secrets/${name}`, { value, ...more }),
    tagSecret: (vault, name, tags) => call('PATCH', `vaults/${vault}/secrets/${name}`, { tags }),
    setKey: (vault, name, jwk) => call('PUT', `vaults/${vault}/keys/${name}`, { jwk }),
    disableSecret: (vault, name) => call('PATCH', `vaults/${vault}/secrets/${name}`, { enabled: false }),
    importCertificate: (vault, name, value) => call('PUT', `vaults/${vault}/certificates/${name}`, { value }),
    async fault(rule) {
      const id = await fault(rule)
      return () => endFault(id)
    },
    async hold(match) {
      const id = await fault({ match, fault: { kind: 'hold' }, times: 1 })
      const isUsedUp = async (): Promise<boolean> =>
        (await call<{ id: number; times?: number }[]>('GET', 'faults')).some((one) => one.id === id && one.times === 0)
      return {
        arrived: async () =>
          void (await eventually(`a request of ${JSON.stringify(match)} is held`, isUsedUp, { every: 50 })),
        release: () => endFault(id),
      }
    },
    counts: (vault) => call('GET', `counts?vault=${vault}`),
    requests: (vault, client) => call('GET', `requests?vault=${vault}&client=${client}`),
    tokens: () => call('GET', 'tokens'),
    setTenant: (vault, tenant) => call('PUT', `vaults/${vault}`, { tenant }),
    federate: (credential) => call('POST', 'credentials', credential),
    allowOnly: (client, vault, ...objects) =>
      call('POST', 'grants', { client, grants: objects.map((object) => ({ vault, object })) }),
    grant: (client, grants) => call('POST', 'grants', { client, grants }),
  }
}

const selector = (isThere: boolean) => ({ 'app.kubernetes.io/name': isThere ? 'key-vault-emulator' : 'nobody' })

/** Removes all endpoints of a vault's Service and breaks the open connections; returns how to restore them. */
export async function cutOff(vault: string, emulator: EmulatorClient): Promise<() => Promise<void>> {
  const select = async (isThere: boolean) => {
    const patch = JSON.stringify({ spec: { selector: selector(isThere) } })
    await kubectl(['patch', 'service', '-n', emulatorNamespace, vault, '--type=merge', '-p', patch])
  }
  const end = await emulator.fault({ match: { vault }, fault: { kind: 'reset' } })
  await select(false)
  return async () => {
    await select(true)
    await end()
  }
}

/** Returns the issuer of the cluster's ServiceAccount tokens. */
export async function issuerOf(): Promise<string> {
  const metadata = await kubectl(['get', '--raw', '/.well-known/openid-configuration'])
  return (JSON.parse(metadata) as { issuer: string }).issuer
}

/** Creates a vault for the test: a Service in front of the emulator whose name is the vault's. */
export async function makeVault(t: Lifetime): Promise<string> {
  const name = `kv-${randomBytes(4).toString('hex')}`
  await apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: emulatorNamespace, labels: { 'akv-injector-e2e': 'true' } },
    spec: {
      selector: selector(true),
      ports: [{ name: 'https', port: 443, targetPort: 'https' }],
    },
  })
  t.teardown(() => kubectl(['delete', 'service', '-n', emulatorNamespace, name]))
  return name
}
