/**
 * The vaults of a pod, ready to be asked:
 *
 *     const opened = openVaults(settings, process.env, { onRequest, onSignIn })
 *     if (!opened.ok) ...                        // opened.problems: sentences for the termination log
 *     const vaults = opened.value
 *     const vault = vaults.of(object)            // one per (vault URL, identity); the same for all objects of these
 *     vault.beginPoll()                          // at the beginning of every poll of this vault
 *     await vault.list('secret', signal)         // list, get and versions: vault.ts
 *     vaults.all; vaults.close()
 *
 * `vault.url`, `vault.name` (`my-kv`) and `vault.identity` (the client id) name it in logs and metrics. Every method rejects
 * with a VaultFailure, after at most 10 s. Of a list, `failure.code` is `TooManyPages` or `NextLinkRefused` where it can never
 * succeed: read the objects one by one then, as after a 403. Nothing is asked before the first call; nothing has timers.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline'
import type { Cloud } from '../../shared/clouds.ts'
import { tokenFile } from '../../shared/names.ts'
import type { ObjectSpec } from '../../shared/object-spec.ts'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'
import type { Settings } from '../../shared/settings.ts'
import { connections, type Connections } from './connections.ts'
import { cachingCredential, type Credential, type SignIn } from './credential.ts'
import type { Exchange } from './exchange.ts'
import { federatedExchange } from './federated-exchange.ts'
import { keyVault, type KeyVault, type VaultRequest } from './key-vault.ts'
import { nodeExchange } from './node-exchange.ts'
import { currentOperation } from './operation.ts'
import { partyOf, type Environment, type Party } from './party.ts'
import { tokenProxy } from './token-proxy.ts'

export interface OpenVaults {
  /** The vault of an object of the settings, as that object's identity sees it. */
  of(object: Pick<ObjectSpec, 'vault' | 'identity'>): KeyVault
  readonly all: readonly KeyVault[]
  /** Ends the idle connections. */
  close(): void
}

export interface Effects {
  onRequest?: (request: VaultRequest) => void
  onSignIn?: (signIn: SignIn) => void
  now?: () => number
  random?: () => number
  /** Reads the file of the pod's token, and of the certificates of an identity binding's proxy. */
  readText?: (path: string) => Promise<string>
  /** For the token endpoint. */
  http?: HttpClient
  /** For one operation, in milliseconds. */
  timeout?: number
}

/** Prepares a client for each distinct (vault, identity); every problem of the identities that objects use is returned. */
export function openVaults(
  { clouds, identities, objects }: Pick<Settings, 'clouds' | 'identities' | 'objects'>,
  environment: Environment,
  effects: Effects = {},
): Parsed<OpenVaults> {
  const parties = new Map<number, Party>()
  const problems: string[] = []
  for (const index of new Set(objects.map(({ identity }) => identity))) {
    const party = partyOf(identities[index], clouds, environment)
    if (party.ok) parties.set(index, party.value)
    else problems.push(...party.problems)
  }
  if (problems.length > 0) return fail(...problems)

  const links = new Map<string, Connections>()
  const credentials = new Map<string, Credential>()
  const vaults = new Map<string, KeyVault>()
  const open = (url: string, party: Party): KeyVault => {
    const { caCertificates } = party.cloud
    const link = once(links, caCertificates ?? '', () =>
      connections({ caCertificates, proxy: environment, onReuse: noteReuse }),
    )
    const credential = once(credentials, party.key, () => credentialOf(party, link, environment, effects))
    return vaultOf(url, party, credential, link, effects)
  }
  const of: OpenVaults['of'] = ({ vault, identity }) => {
    const party = parties.get(identity)
    if (!party) throw new Error(`no object of the settings has identity ${identity}`)
    return once(vaults, `${vault.toLowerCase()} ${party.key}`, () => open(vault, party))
  }
  objects.forEach(of)
  return ok({ of, all: [...vaults.values()], close: () => links.forEach((one) => one.close()) })
}

function once<V>(made: Map<string, V>, key: string, make: () => V): V {
  const value = made.get(key) ?? make()
  made.set(key, value)
  return value
}

function vaultOf(url: string, party: Party, credential: Credential, link: Connections, effects: Effects): KeyVault {
  const { onRequest = () => {}, now = Date.now, timeout } = effects
  const { cloud, name: identity } = party
  const { apiVersion, verifyChallengeResource } = cloud
  const name = nameOf(url, cloud)
  return keyVault({ url, name, identity, credential, connections: link, apiVersion, verifyChallengeResource, now, onRequest, timeout }) // prettier-ignore
}

function credentialOf(party: Party, link: Connections, environment: Environment, effects: Effects): Credential {
  const { onSignIn = () => {}, now = Date.now, random = Math.random, timeout } = effects
  const { tenantId, name: identity } = party
  const exchange = exchangeOf(party, link, environment, effects)
  return cachingCredential({ exchange, tenantId, identity, now, random, onSignIn, timeout })
}

function exchangeOf(party: Party, link: Connections, environment: Environment, effects: Effects): Exchange {
  const { now = Date.now, readText = readFileText, http = createDefaultHttpClient() } = effects
  const { mode, clientId, cloud } = party
  if (mode === 'node') {
    return nodeExchange({ service: environment['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || undefined, clientId, http, now })
  }
  const { authorityHost, tenantId } = party
  const ownFile = environment['AZURE_FEDERATED_TOKEN_FILE'] || tokenFile
  const file = party.tokenFile === undefined ? ownFile : join(dirname(ownFile), party.tokenFile)
  const readToken = () => readText(file)
  const { caCertificates } = cloud
  const proxy = party.proxy && tokenProxy(party.proxy, { environment, caCertificates, readText })
  return federatedExchange({ authorityHost, tenantId, clientId, readToken, http, agent: link.signIn, proxy, now })
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
