/**
 * The vaults of a pod, ready for requests:
 *
 *     const opened = openVaults(settings, process.env, { onRequest, onSignIn })
 *     if (!opened.ok) ...                        // opened.problems: sentences for the termination log
 *     const vaults = opened.value
 *     const vault = vaults.of(object)            // one per (vault URL, identity); the same for all objects of these
 *     vault.beginPoll()                          // at the beginning of every poll of this vault
 *     await vault.list('secret', signal)         // list, get and versions: store.ts
 *     vaults.all; vaults.close()
 *
 * `vault.url`, `vault.name` (`my-kv`) and `vault.identity` (the client id) name it in logs and metrics. Every method rejects
 * with a VaultFailure, after at most 10 s for 40 pages. Of a list, `failure.code` is `TooManyPages` or `NextLinkRefused` if it can never
 * succeed: read the objects one by one then, as after a 403. No request is sent before the first call, and there are no timers.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline'
import { realClock, type Clock, type Random } from '../clock.ts'
import type { Cloud } from '../clouds/clouds.ts'
import { tokenFile } from '../names.ts'
import type { ObjectSpec } from '../objects/spec.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Settings } from '../settings/codec.ts'
import { createConnections, type Connections } from './connections.ts'
import { createCachingCredential, type Credential, type SignIn } from './sign-in/credential.ts'
import type { Exchange } from './sign-in/token-exchange.ts'
import { createKeyVault, type KeyVault, type VaultRequest } from './key-vault/client.ts'
import { createNodeExchange } from './sign-in/node.ts'
import { currentOperation } from './key-vault/operation.ts'
import { principalOf, type Principal } from './sign-in/principal.ts'
import { type Environment } from './sign-in/environment.ts'
import { createTokenProxy } from './sign-in/token-proxy.ts'

export interface OpenVaults {
  /** The vault of an object of the settings, accessed with that object's identity. */
  of(object: Pick<ObjectSpec, 'vault' | 'identity'>): KeyVault
  readonly all: readonly KeyVault[]
  /** Ends the idle connections. */
  close(): void
}

export interface VaultDependencies {
  onRequest?: (request: VaultRequest) => void
  onSignIn?: (signIn: SignIn) => void
  clock?: Pick<Clock, 'now' | 'elapsed'>
  random?: Random
  /** Reads the file of the pod's token, and of the certificates of an identity binding's proxy. */
  readText?: (path: string) => Promise<string>
  /** For the token endpoint. */
  http?: HttpClient
  /** For one operation, in milliseconds. */
  timeoutMs?: number
}

/** Prepares a client for each distinct (vault, identity); every problem of the identities that objects use is returned. */
export function openVaults(
  { clouds, identities, objects, find }: Pick<Settings, 'clouds' | 'identities' | 'objects' | 'find'>,
  environment: Environment,
  dependencies: VaultDependencies = {},
): Result<OpenVaults> {
  const principals = new Map<number, Principal>()
  const problems: string[] = []
  const requests = [...objects, ...(find?.finds ?? [])]
  for (const index of new Set(requests.map(({ identity }) => identity))) {
    const principal = principalOf(identities[index], clouds, environment)
    if (principal.ok) principals.set(index, principal.value)
    else problems.push(...principal.problems)
  }
  if (problems.length > 0) return fail(...problems)

  const links = new Map<string, Connections>()
  const credentials = new Map<string, Credential>()
  const vaults = new Map<string, KeyVault>()
  const open = (url: string, principal: Principal): KeyVault => {
    const { caCertificates } = principal.cloud
    const link = once(links, caCertificates ?? '', () =>
      createConnections({ caCertificates, proxy: environment, onReuse: noteReuse }),
    )
    const credential = once(credentials, principal.key, () =>
      createCredential(principal, link, environment, dependencies),
    )
    return createVault(url, principal, credential, link, dependencies)
  }
  const of: OpenVaults['of'] = ({ vault, identity }) => {
    const principal = principals.get(identity)
    if (!principal) throw new Error(`no object of the settings has identity ${identity}`)
    return once(vaults, `${vault.toLowerCase()} ${principal.key}`, () => open(vault, principal))
  }
  requests.forEach(of)
  return ok({ of, all: [...vaults.values()], close: () => links.forEach((one) => one.close()) })
}

function once<V>(made: Map<string, V>, key: string, make: () => V): V {
  const value = made.get(key) ?? make()
  made.set(key, value)
  return value
}

function createVault(
  url: string,
  principal: Principal,
  credential: Credential,
  link: Connections,
  dependencies: VaultDependencies,
): KeyVault {
  const { onRequest = () => {}, clock = realClock, timeoutMs } = dependencies
  const { cloud, name: identity } = principal
  const { apiVersion, verifyChallengeResource, vaultSuffix } = cloud
  const name = nameOf(url, cloud)
  return createKeyVault({
    url,
    name,
    identity,
    credential,
    connections: link,
    apiVersion,
    verifyChallengeResource,
    // A challenge that is not verified may name any resource.
    scope: verifyChallengeResource === false ? undefined : `https://${vaultSuffix}/.default`,
    clock,
    onRequest,
    timeoutMs,
  })
}

function createCredential(
  principal: Principal,
  link: Connections,
  environment: Environment,
  dependencies: VaultDependencies,
): Credential {
  const { onSignIn = () => {}, clock = realClock, random = Math.random, timeoutMs } = dependencies
  const { tenantId, name: identity } = principal
  const exchange = createExchange(principal, link, environment, dependencies)
  return createCachingCredential({ exchange, tenantId, identity, clock, random, onSignIn, timeoutMs })
}

function createExchange(
  principal: Principal,
  link: Connections,
  environment: Environment,
  dependencies: VaultDependencies,
): Exchange {
  const { clock = realClock, readText = readFileText, http = createDefaultHttpClient() } = dependencies
  const { mode, clientId, cloud } = principal
  if (mode === 'node') {
    return createNodeExchange({
      service: environment['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || undefined,
      clientId,
      http,
      clock,
    })
  }
  const { authorityHost, tenantId } = principal
  const ownFile = environment['AZURE_FEDERATED_TOKEN_FILE'] || tokenFile
  const file = principal.tokenFile === undefined ? ownFile : join(dirname(ownFile), principal.tokenFile)
  const readToken = () => readText(file)
  const { caCertificates } = cloud
  const proxy = principal.proxy && createTokenProxy(principal.proxy, { environment, caCertificates, readText })
  const options = { authorityHost, tenantId, clientId, readToken, http, agent: link.signIn, proxy, clock }
  // Microsoft's sign-in library is a third of what the sidecar loads, and a vault's first request has no token yet.
  const exchange = async () => (await import('./sign-in/federated.ts')).createFederatedExchange(options)
  return async (scope, abort) => (await exchange())(scope, abort)
}

const readFileText = (path: string) => readFile(path, 'utf8')

function noteReuse(): void {
  const operation = currentOperation()
  if (operation) operation.reused = true
}

function nameOf(url: string, { vaultSuffix }: Cloud): string {
  const { host, hostname } = new URL(url)
  const suffix = `.${vaultSuffix.toLowerCase()}`
  return hostname.endsWith(suffix) ? hostname.slice(0, -suffix.length) : host
}
