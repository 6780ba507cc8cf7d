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
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline'
import type { Cloud } from '../../shared/clouds.ts'
import { tokenFile } from '../../shared/names.ts'
import type { ObjectSpec } from '../../shared/object-spec.ts'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'
import type { Identity, Settings } from '../../shared/settings.ts'
import { connections, type Connections } from './connections.ts'
import { cachingCredential, type Credential, type SignIn } from './credential.ts'
import { federatedExchange } from './federated-exchange.ts'
import { keyVault, type KeyVault, type VaultRequest } from './key-vault.ts'
import { currentOperation } from './operation.ts'

export interface OpenVaults {
  /** The vault of an object of the settings, as that object's identity sees it. */
  of(object: Pick<ObjectSpec, 'vault' | 'identity'>): KeyVault
  readonly all: readonly KeyVault[]
  /** Ends the idle connections. */
  close(): void
}

/**
 * The variables that the workload identity webhook sets too: `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` stand in for what an
 * identity of the settings leaves out; `AZURE_FEDERATED_TOKEN_FILE` for where our own token is mounted. A cloud always names
 * its authority, so `AZURE_AUTHORITY_HOST` is not read. `HTTPS_PROXY` and `NO_PROXY` are.
 */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Effects {
  onRequest?: (request: VaultRequest) => void
  onSignIn?: (signIn: SignIn) => void
  now?: () => number
  random?: () => number
  /** Reads the file of the pod's token. */
  readText?: (path: string) => Promise<string>
  /** For the token endpoint. */
  http?: HttpClient
  /** For one operation, in milliseconds. */
  timeout?: number
}

/** Prepares a client for each distinct (vault, identity); every problem of the identities that objects use is returned. */
export function openVaults(
  settings: Pick<Settings, 'clouds' | 'identities' | 'objects'>,
  environment: Environment,
  effects: Effects = {},
): Parsed<OpenVaults> {
  const links = new Map<string, Connections>()
  const signIns = new Map<number, Party>()
  const problems: string[] = []
  const vaults = new Map<string, KeyVault>()
  const known = new Map<string, Party>()

  for (const index of new Set(settings.objects.map(({ identity }) => identity))) {
    const party = partyOf(settings.identities[index], settings.clouds, environment)
    if (!party.ok) problems.push(...party.problems)
    else signIns.set(index, known.get(party.value.key) ?? remember(known, party.value))
  }
  if (problems.length > 0) return fail(...problems)

  for (const object of settings.objects) {
    const party = signIns.get(object.identity)!
    const key = keyOf(object.vault, party)
    if (!vaults.has(key)) vaults.set(key, open(object.vault, party, links, environment, effects))
  }
  return ok({
    of: (object) => vaults.get(keyOf(object.vault, signIns.get(object.identity)!))!,
    all: [...vaults.values()],
    close: () => links.forEach((one) => one.close()),
  })
}

/** Who signs in, and where. */
interface Party {
  /** Equal for equal parties. */
  key: string
  cloud: Cloud
  authorityHost: string
  tenantId: string
  clientId: string
  credential?: Credential
}

function remember(known: Map<string, Party>, party: Party): Party {
  known.set(party.key, party)
  return party
}

const keyOf = (vault: string, { key }: Party) => `${vault.toLowerCase()} ${key}`

function partyOf(identity: Identity | undefined, clouds: Settings['clouds'], environment: Environment): Parsed<Party> {
  const cloud = identity && clouds[identity.cloud]
  if (!cloud) return fail(`there is no cloud "${identity?.cloud ?? ''}"`)
  const tenantId = identity.tenantId ?? environment['AZURE_TENANT_ID']
  const clientId = identity.clientId ?? environment['AZURE_CLIENT_ID']
  const authority = URL.parse(cloud.authorityHost)
  const problems: string[] = []
  if (!tenantId) problems.push('there is no tenant id: neither in the settings nor as AZURE_TENANT_ID')
  else if (tenantId.toLowerCase() === 'adfs') problems.push('signing in at AD FS (tenant "adfs") is not supported')
  else if (!/^[0-9a-zA-Z.-]+$/.test(tenantId)) problems.push(`the tenant id ${JSON.stringify(tenantId)} is none`)
  if (!clientId) problems.push('there is no client id: neither in the settings nor as AZURE_CLIENT_ID')
  if (authority?.protocol !== 'https:') {
    problems.push(`cloud ${identity.cloud}: its authorityHost ${JSON.stringify(cloud.authorityHost)} is not an https:// URL; tokens are never asked for over plain http`) // prettier-ignore
  }
  const certificate = certificateProblem(cloud.caCertificates)
  if (certificate !== undefined)
    problems.push(`cloud ${identity.cloud}: its caCertificates cannot be read: ${certificate}`)
  if (problems.length > 0 || !authority || !tenantId || !clientId) return fail(...problems)
  const authorityHost = (authority.origin + authority.pathname).replace(/\/+$/, '')
  return ok({
    key: JSON.stringify([identity.cloud, tenantId.toLowerCase(), clientId.toLowerCase()]),
    ...{ cloud, authorityHost, tenantId, clientId },
  })
}

/** OpenSSL ignores what it cannot read between certificates, so each is looked at. */
function certificateProblem(pem: string | undefined): string | undefined {
  if (pem === undefined) return undefined
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (!blocks) return 'there is no PEM certificate in it'
  try {
    for (const block of blocks) new X509Certificate(block)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function open(
  url: string,
  party: Party,
  links: Map<string, Connections>,
  environment: Environment,
  effects: Effects,
): KeyVault {
  const { onRequest = () => {}, now = Date.now, timeout } = effects
  const { cloud, clientId } = party
  const trust = cloud.caCertificates ?? ''
  const shared =
    links.get(trust) ??
    connections({ caCertificates: cloud.caCertificates, proxy: environment, onReuse: () => noteReuse() })
  links.set(trust, shared)
  party.credential ??= credentialOf(party, shared, environment, effects)
  return keyVault({
    url,
    name: nameOf(url, cloud),
    identity: clientId,
    credential: party.credential,
    connections: shared,
    apiVersion: cloud.apiVersion,
    verifyChallengeResource: cloud.verifyChallengeResource,
    now,
    onRequest,
    ...(timeout !== undefined && { timeout }),
  })
}

function noteReuse(): void {
  const operation = currentOperation()
  if (operation) operation.reused = true
}

function credentialOf(
  { authorityHost, tenantId, clientId }: Party,
  { signIn }: Connections,
  environment: Environment,
  effects: Effects,
): Credential {
  const { onSignIn = () => {}, now = Date.now, random = Math.random, timeout } = effects
  const { readText = (path: string) => readFile(path, 'utf8'), http = createDefaultHttpClient() } = effects
  const file = environment['AZURE_FEDERATED_TOKEN_FILE'] || tokenFile
  const exchange = federatedExchange({ authorityHost, tenantId, clientId, readToken: () => readText(file), http, agent: signIn, now }) // prettier-ignore
  return cachingCredential({
    exchange,
    tenantId,
    clientId,
    now,
    random,
    onSignIn,
    ...(timeout !== undefined && { timeout }),
  })
}

function nameOf(url: string, { vaultSuffix }: Cloud): string {
  const { host, hostname } = new URL(url)
  const suffix = `.${vaultSuffix.toLowerCase()}`
  return hostname.endsWith(suffix) ? hostname.slice(0, -suffix.length) : host
}
