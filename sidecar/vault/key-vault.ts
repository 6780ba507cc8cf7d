import type { ObjectType } from '../../shared/object-spec.ts'
import { dateOf } from './answer.ts'
import type { Connections } from './connections.ts'
import type { Budget, Credential } from './credential.ts'
import type { Subject } from './failures.ts'
import { failureOf } from './operation-failure.ts'
import { Disabled, Incomplete, type ClientOptions, type Got, type Listed, type Objects } from './objects.ts'
import { runOperation } from './operation.ts'
import { secretsOf } from './secrets.ts'
import type { FailureKind, Fetched, Vault, VaultFailure } from './vault.ts'
import { linkPolicy, wirePolicy } from './wire-policy.ts'

/** A call of a vault as audit lines and metrics tell it. */
export interface VaultRequest extends Subject {
  outcome: 'success' | FailureKind
  /** Of a failure: `ForbiddenByRbac`, `ECONNRESET`. */
  code?: string
  /** Of the last answer. */
  status?: number
  /** How many requests it took, challenges and pages included. */
  requests: number
  durationMs: number
}

/** A vault as one identity sees it. */
export interface KeyVault extends Vault {
  readonly url: string
  /** How messages, logs and metrics call it: its name, or its host where that is not `<name>.<the cloud's suffix>`. */
  readonly name: string
  /** The client id, and that it is the node's where it is. */
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
  now: () => number
  /** For durations: a clock that never goes back. */
  elapsed?: (() => number) | undefined
  onRequest: (request: VaultRequest) => void
  /** For one operation, sign-in, pages and bodies included, in milliseconds. */
  timeout?: number | undefined
}

const collections: Record<ObjectType, string> = { secret: 'secrets', key: 'keys', cert: 'certificates' }

/** Nothing needs a newer version, and older servers refuse newer ones. */
const defaultApiVersion = '7.6'

/** Key Vault through the SDK's clients, of which those for keys and certificates are loaded at their first use. */
export function keyVault(options: KeyVaultOptions): KeyVault {
  const { url, name, identity, now, elapsed = () => performance.now(), onRequest, timeout = 10_000 } = options
  const budget: Budget = { left: 1 }
  const objects = objectsOf(options, budget)

  async function run<T>(
    about: Pick<Subject, 'operation' | 'type' | 'object' | 'version'>,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<Outcome<T>> {
    const subject: Subject = { vault: name, identity, ...about }
    const started = elapsed()
    const outcome = await runOperation({ signal, timeout, collection: collectionOf(subject) }, work)
    const { operation } = outcome
    const { answer, pages, requests } = operation
    const failure = 'error' in outcome ? failureOf(outcome.error, operation, subject, { now: now(), timeout, signal }) : undefined // prettier-ignore
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
      durationMs: elapsed() - started,
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
    async list(type, signal) {
      const { result, pages } = await run({ operation: 'list', type }, signal, async () =>
        all((await objects(type)).list()),
      )
      return { items: new Map(result.map((item) => [item.name.toLowerCase(), item.attributes])), pages }
    },
    async versions(type, object, signal) {
      const { result } = await run({ operation: 'versions', type, object }, signal, async () =>
        all((await objects(type)).versions(object)),
      )
      return result.flatMap(({ version, attributes }) => (version === undefined ? [] : [{ version, attributes }]))
    },
    async get(type, object, version, signal) {
      const { result, answeredAt } = await run({ operation: 'get', type, object, version }, signal, async () =>
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
function objectsOf(options: KeyVaultOptions, budget: Budget): (type: ObjectType) => Promise<Objects> {
  const { url, credential, connections } = options
  const policy = wirePolicy({
    renew: (refused) => credential.replace(refused, budget),
    onStale: () => connections.dropIdle(),
  })
  // Made anew for each client: one of them writes into its options.
  const clientOptions = (): ClientOptions => ({
    serviceVersion: options.apiVersion ?? defaultApiVersion,
    disableChallengeResourceVerification: options.verifyChallengeResource === false,
    agent: connections.vault,
    userAgentOptions: { userAgentPrefix: 'akv-injector' },
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [
      { policy: linkPolicy(new URL(url).origin), position: 'perCall' },
      { policy, position: 'perRetry' },
    ],
  })
  const made = new Map<ObjectType, Promise<Objects>>()
  return (type) => {
    const objects = made.get(type) ?? makeObjects(type, url, credential, clientOptions())
    made.set(type, objects)
    // A chunk that could not be read is read again.
    objects.catch(() => made.delete(type))
    return objects
  }
}

async function makeObjects(type: ObjectType, url: string, credential: Credential, options: ClientOptions) {
  switch (type) {
    case 'secret':
      return secretsOf(url, credential, options)
    case 'key':
      return (await import('./keys.ts')).keysOf(url, credential, options)
    case 'cert':
      return (await import('./certificates.ts')).certificatesOf(url, credential, options)
  }
}

const collectionOf = ({ operation, type, object = '' }: Subject): string | undefined =>
  operation === 'get'
    ? undefined
    : `/${collections[type]}${operation === 'list' ? '' : `/${object.toLowerCase()}/versions`}`

async function all(items: AsyncIterable<Listed>): Promise<Listed[]> {
  const found: Listed[] = []
  for await (const item of items) found.push(item)
  return found
}

const versionOf = (result: unknown): { version?: string } => {
  const { version } = result as { version?: string }
  return version === undefined ? {} : { version }
}

/** Names and versions are what was asked for; the spelling is the configuration's. */
function checked(got: Got, type: ObjectType, name: string, version: string | undefined): Fetched {
  const { name: answered, version: found, ...rest } = got
  if (answered.toLowerCase() !== name.toLowerCase()) throw new Incomplete('it holds another object')
  if (!found || (version !== undefined && found.toLowerCase() !== version.toLowerCase())) {
    throw new Incomplete('it holds another version')
  }
  // Of the three types, the service refuses disabled secrets only.
  if (!got.attributes.enabled) throw new Disabled('it is disabled')
  return { type, name, version: found, ...rest }
}
