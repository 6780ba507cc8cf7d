import type { Clock } from '../../clock.ts'
import type { ObjectType } from '../../objects/formats.ts'
import { dateOf } from '../http-answer.ts'
import type { Connections } from '../connections.ts'
import type { Budget, Credential } from '../sign-in/credential.ts'
import type { Subject } from '../explain-failure.ts'
import { failureOf } from './operation-failure.ts'
import { Disabled, Incomplete, type ClientOptions, type Got, type Listed, type Objects } from './sdk-objects.ts'
import { runOperation } from './operation.ts'
import { createSecrets } from './secrets.ts'
import {
  defaultMaxPages,
  type Attributes,
  type FailureKind,
  type Fetched,
  type ListedVersion,
  type ListOptions,
  mostVersions,
  pageSize,
  type Vault,
  type VaultFailure,
} from '../store.ts'
import { createLinkPolicy, createWirePolicy } from './wire-policy.ts'

/** A vault operation, for audit lines and metrics. */
export interface VaultRequest extends Subject {
  outcome: 'success' | FailureKind
  /** The code of a failure: `ForbiddenByRbac`, `ECONNRESET`. */
  code?: string
  /** The status of the last answer. */
  status?: number
  /** The number of requests, including challenges and pages. */
  requests: number
  durationMs: number
}

/** A vault as one identity sees it. */
export interface KeyVault extends Vault {
  readonly url: string
  /** Its name in messages, logs and metrics: the vault's name, or its host if that is not `<name>.<the cloud's suffix>`. */
  readonly name: string
  /** The client ID; a node's identity is marked as such. */
  readonly identity: string
  /** To be called when a poll begins: in each of them, a refused token is replaced by signing in again at most once. */
  beginPoll(): void
}

export interface KeyVaultOptions {
  url: string
  name: string
  identity: string
  credential: Credential
  connections: Connections
  /** Key Vault's `api-version`. */
  apiVersion?: string | undefined
  verifyChallengeResource?: boolean | undefined
  /** The scope that the vault's challenge is expected to name; undefined if it may be any. */
  scope?: string | undefined
  clock: Pick<Clock, 'now' | 'elapsed'>
  onRequest: (request: VaultRequest) => void
  /** Time limit of one operation (of a list with 40 pages), including sign-in, pages and bodies. */
  timeoutMs?: number | undefined
}

const collections: Record<ObjectType, string> = { secret: 'secrets', key: 'keys', cert: 'certificates' }

/** Nothing needs a newer version, and older servers refuse newer ones. */
const defaultApiVersion = '7.6'

/** Key Vault through the SDK's clients, of which those for keys and certificates are loaded at their first use. */
export function createKeyVault(options: KeyVaultOptions): KeyVault {
  const { url, name, identity, clock, onRequest, timeoutMs: leastMs = 10_000 } = options
  const budget: Budget = { left: 1 }
  const objects = createClients(options, budget)

  async function run<T>(
    about: Pick<Subject, 'operation' | 'type' | 'object' | 'version'>,
    abort: AbortSignal,
    work: () => Promise<T>,
    maxPages = defaultMaxPages,
  ): Promise<Outcome<T>> {
    // A longer list may take longer.
    const timeoutMs = leastMs * Math.max(1, maxPages / defaultMaxPages)
    const subject: Subject = { vault: name, identity, ...about }
    const started = clock.elapsed()
    const outcome = await runOperation({ abort, timeoutMs, collection: collectionOf(subject), maxPages }, work)
    const { operation } = outcome
    const { answer, pages, requests } = operation
    const failure =
      'error' in outcome
        ? failureOf(outcome.error, operation, subject, { url, now: clock.now(), timeoutMs, abort })
        : undefined
    // A connection that is kept holds on to the operation that opened it.
    delete operation.answer
    delete operation.refusal
    onRequest({
      ...subject,
      ...('result' in outcome && versionOf(outcome.result)),
      outcome: failure?.kind ?? 'success',
      ...(failure?.code !== undefined && { code: failure.code }),
      ...(answer && { status: answer.status }),
      requests,
      durationMs: clock.elapsed() - started,
    })
    if (!('result' in outcome)) throw failure as VaultFailure
    return { result: outcome.result, pages: pages.size, answeredAt: answer && dateOf(answer) }
  }

  return {
    url,
    name,
    identity,
    beginPoll() {
      budget.left = 1
    },
    async list(type, abort, options) {
      const work = async () => itemsOf((await objects(type)).list(), options)
      const { result: items, pages } = await run({ operation: 'list', type }, abort, work, options?.maxPages)
      return { items, pages }
    },
    async versions(type, object, abort, most = mostVersions) {
      const work = async () => versionsOf((await objects(type)).versions(object))
      return (await run({ operation: 'versions', type, object }, abort, work, most / pageSize)).result
    },
    async get(type, object, version, abort) {
      const { result, answeredAt } = await run({ operation: 'get', type, object, version }, abort, async () =>
        checked(await (await objects(type)).get(object, version), type, object, version),
      )
      return { ...result, ...(answeredAt !== undefined && { answeredAt }) }
    },
  }
}

interface Outcome<T> {
  result: T
  pages: number
  /** The vault's clock. */
  answeredAt: number | undefined
}

/** The clients of the three types, each made once. */
function createClients(options: KeyVaultOptions, budget: Budget): (type: ObjectType) => Promise<Objects> {
  const { url, credential, connections, scope } = options
  const policy = createWirePolicy({
    renew: (refused) => credential.replace(refused, budget),
    onStale: () => connections.dropIdle(),
    onAnonymous: () => scope !== undefined && credential.begin(scope),
  })
  // Created for each client, because one of them modifies its options.
  const clientOptions = (): ClientOptions => ({
    serviceVersion: options.apiVersion ?? defaultApiVersion,
    disableChallengeResourceVerification: options.verifyChallengeResource === false,
    agent: connections.vault,
    userAgentOptions: { userAgentPrefix: 'akv-injector' },
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [
      { policy: createLinkPolicy(new URL(url).origin), position: 'perCall' },
      { policy, position: 'perRetry' },
    ],
  })
  const created = new Map<ObjectType, Promise<Objects>>()
  return (type) => {
    const objects = created.get(type) ?? createClient(type, url, credential, clientOptions())
    created.set(type, objects)
    // A lazily loaded chunk that could not be read is read again.
    objects.catch(() => created.delete(type))
    return objects
  }
}

async function createClient(type: ObjectType, url: string, credential: Credential, options: ClientOptions) {
  switch (type) {
    case 'secret':
      return createSecrets(url, credential, options)
    case 'key':
      return (await import('./keys.ts')).createKeys(url, credential, options)
    case 'cert':
      return (await import('./certificates.ts')).createCertificates(url, credential, options)
  }
}

const collectionOf = ({ operation, type, object = '' }: Subject): string | undefined =>
  operation === 'get'
    ? undefined
    : `/${collections[type]}${operation === 'list' ? '' : `/${object.toLowerCase()}/versions`}`

/** The attributes of a list's objects. Nothing else is kept: the tags of a vault may be megabytes. */
async function itemsOf(listed: AsyncIterable<Listed>, { onItem }: ListOptions = {}): Promise<Map<string, Attributes>> {
  const items = new Map<string, Attributes>()
  for await (const { name, tags = {}, attributes } of listed) {
    items.set(name.toLowerCase(), attributes)
    onItem?.({ name, tags })
  }
  return items
}

/** The attributes of an object's versions, likewise. */
async function versionsOf(listed: AsyncIterable<Listed>): Promise<ListedVersion[]> {
  const versions: ListedVersion[] = []
  for await (const { version, attributes } of listed) if (version !== undefined) versions.push({ version, attributes })
  return versions
}

const versionOf = (result: unknown): { version?: string } => {
  const { version } = result as { version?: string }
  return version === undefined ? {} : { version }
}

/** Names and versions are those that were requested; the spelling is the configuration's. */
function checked(got: Got, type: ObjectType, name: string, version: string | undefined): Fetched {
  const { name: answered, version: found, tags: _tags, ...rest } = got as Got & Pick<Listed, 'tags'>
  if (answered.toLowerCase() !== name.toLowerCase()) throw new Incomplete('it holds another object')
  if (!found || (version !== undefined && found.toLowerCase() !== version.toLowerCase())) {
    throw new Incomplete('it holds another version')
  }
  // Of the three types, the service refuses disabled secrets only.
  if (!got.attributes.enabled) throw new Disabled('it is disabled')
  return { type, name, version: found, ...rest }
}
