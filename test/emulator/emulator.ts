/**
 * A Key Vault emulator: the REST protocol over TLS, and as much of Entra ID as a workload identity needs, for the unmodified
 * Azure SDKs. Values live in memory.
 *
 * Vaults are distinguished by host name: the first label is the vault (`https://my-kv.<suffix>:<port>`), and the challenge names
 * the rest of the host as its resource, which the SDKs accept as they are. How those names reach the emulator:
 *
 * - in a cluster, by one Service per vault name in front of the emulator's pod (`https://my-kv.<namespace>.svc.cluster.local/`);
 * - on one machine, through the emulator's own proxy (`proxy()`, for HTTPS_PROXY): it takes every CONNECT to the emulator, so
 *   that any name works without name resolution, those of the public clouds included;
 * - by `*.localhost`, where the resolver knows it (systemd-resolved, curl and browsers do; plain glibc, musl and older macOS do not);
 * - within a Node process, by `resolveToLoopback` (resolve.ts);
 * - without names, by a listener per vault (`listen(vault)`, `https://localhost:<port>`), whose challenge a client takes only
 *   with `disableChallengeResourceVerification`.
 */
import { createServer } from 'node:http'
import { Access, Tokens } from './access.ts'
import { adminHandler } from './admin.ts'
import { Faults, type FaultRule } from './faults.ts'
import { makeHandler } from './handler.ts'
import { Journal } from './journal.ts'
import { Listeners } from './listeners.ts'
import type { Clock } from './store.ts'
import { makeAuthority, type Authority, type Pair } from './tls.ts'
import { IssuerKeys, type FederatedCredential, type SeenAssertion, type TrustedIssuer } from './trust.ts'
import type { Entra } from './entra.ts'
import { Vault } from './vault.ts'

export interface EmulatorOptions {
  /** The clock of vaults and tokens, in milliseconds. Certificates follow the real one, as TLS clients do. */
  now?: () => number
  /** Where to listen; 127.0.0.1 and a free port by default. */
  address?: string
  port?: number
  /** What follows a vault's name in `url`; `vault.localhost` by default. Requests are taken under any suffix. */
  suffix?: string
  /** What challenges name as the authority; `https://localhost:<port>/` by default. */
  authorityHost?: string
  /** The tenant of vaults that have none of their own. */
  tenant?: string
  /** DNS names (wildcards allowed) and addresses for the certificate, beside localhost and the suffix. */
  names?: string[]
  /** A certificate to serve in place of one made at the start, and the CA that clients are to trust. */
  tls?: Pair & { ca: string }
  /** Those who sign ServiceAccount tokens, and whom their tokens may sign in as. */
  issuers?: TrustedIssuer[]
  credentials?: FederatedCredential[]
  /** Of access tokens, in seconds; an hour by default. */
  tokenLifetime?: number
  refreshIn?: number
  /** How many requests the journal keeps in detail. */
  journalLimit?: number
}

export const defaultTenant = '7e57e57e-0000-4000-8000-000000000001'

/** A running emulator. */
export interface Emulator {
  readonly port: number
  readonly tenant: string
  /** For `AZURE_AUTHORITY_HOST`, with a slash at the end. */
  readonly authorityHost: string
  /** What clients must trust (PEM). */
  readonly ca: string
  /** The authority behind `ca`, unless the certificate came from outside. */
  readonly authority: Authority | undefined
  readonly faults: Faults
  readonly journal: Journal
  readonly access: Access
  readonly tokens: Tokens
  /** What the token endpoint saw. */
  readonly seen: readonly SeenAssertion[]
  /** The vault of that name, made if it does not exist yet. */
  vault(name: string): Vault
  /** Whether a vault of that name exists. */
  has(name: string): boolean
  /** The URL of a vault by host name, with a slash at the end. */
  url(vault: string): string
  /** Opens a port where one vault answers whatever the host is called; returns `https://localhost:<port>/`. */
  listen(vault: string, port?: number): Promise<string>
  /** Opens the proxy that leads every host here; returns its URL, for HTTPS_PROXY. */
  proxy(port?: number): Promise<string>
  /** Opens the admin API (admin.ts), plain HTTP; returns its URL. */
  admin(port?: number, address?: string): Promise<string>
  /** Switches a fault on; call the result's `remove` to end it. */
  fault(rule: FaultRule): { id: number; remove: () => void }
  trust(issuer: TrustedIssuer): void
  federate(credential: FederatedCredential): void
  /** Serves another certificate from the next connection on. */
  useCertificate(pair: Pair): void
  /** Closes all ports, as if nothing ran here, and opens them again. What is in the vaults stays. */
  offline(): Promise<void>
  online(): Promise<void>
  /** Ends at once, open connections included. */
  close(): Promise<void>
}

export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { now = Date.now, address = '127.0.0.1', suffix = 'vault.localhost', tenant = defaultTenant } = options
  const clock: Clock = { now, changes: 0 }
  const authority = options.tls ? undefined : makeAuthority()
  const names = ['localhost', '127.0.0.1', '::1', '*.localhost', `*.${suffix}`, ...(options.names ?? [])]

  const vaults = new Map<string, Vault>()
  const tokens = new Tokens(now)
  const entra: Entra = {
    tenant,
    authorityHost: '',
    credentials: [...(options.credentials ?? [])],
    keys: new IssuerKeys([...(options.issuers ?? [])]),
    tokens,
    tokenLifetime: options.tokenLifetime ?? 3600,
    refreshIn: options.refreshIn,
    seen: [],
  }
  const faults = new Faults(clock)
  const journal = new Journal(options.journalLimit ?? 10_000)
  const access = new Access()
  const handler = makeHandler({ clock, vaults, entra, faults, journal, access })

  const listeners = new Listeners(options.tls ?? authority!.issue({ names }))
  const port = await listeners.https(handler(), address, options.port ?? 0)
  entra.authorityHost = options.authorityHost ?? `https://localhost:${port}/`

  const emulator: Emulator = {
    port,
    tenant,
    authorityHost: entra.authorityHost,
    ca: options.tls?.ca ?? authority!.ca,
    authority,
    faults,
    journal,
    access,
    tokens,
    seen: entra.seen,
    vault(name) {
      const key = name.toLowerCase()
      const vault = vaults.get(key) ?? new Vault(name, clock)
      vaults.set(key, vault)
      return vault
    },
    has: (name) => vaults.has(name.toLowerCase()),
    url: (vault) => `https://${vault}.${suffix}:${port}/`,
    listen: async (vault, wanted = 0) => `https://localhost:${await listeners.https(handler(vault), address, wanted)}/`,
    proxy: async (wanted = 0) => `http://127.0.0.1:${await listeners.proxy(() => port, address, wanted)}`,
    admin: async (wanted = 0, where = '127.0.0.1') => {
      const server = createServer(adminHandler(emulator))
      return `http://127.0.0.1:${await listeners.http(server, where, wanted)}`
    },
    fault: (rule) => faults.add(rule),
    trust: (issuer) => entra.keys.trust(issuer),
    federate: (credential) => void entra.credentials.push(credential),
    useCertificate: (pair) => listeners.use(pair),
    offline: () => listeners.close(),
    online: () => listeners.reopen(),
    close: () => listeners.close(),
  }
  return emulator
}
