import { createHash } from 'node:crypto'
import type { Clock, Random } from '../shared/clock.ts'
import type { ServedObject } from '../shared/coordination/reports.ts'
import { objectName } from '../shared/objects/spec.ts'
import type { OpenVaults } from '../shared/vault/open-vaults.ts'
import { fail, type Result } from '../shared/result.ts'
import type { Configuration } from '../webhook/configuration/configuration.ts'
import type { ServiceAccount } from '../webhook/plan/inputs.ts'
import { largestSpec } from '../webhook/plan/secret-provider-class/found-class.ts'
import { linkOf, longestMessage } from '../shared/kubernetes/event-sender.ts'
import { syncAsAnnotation } from './names.ts'
import { secretNames, shortRoleText, type RoleInputs } from './role.ts'
import { ClassReader, textProblem, type ReadFiles } from './class-reader.ts'
import { statusOf, type SyncCluster } from './cluster.ts'
import { objectsOf, planClass, type ClassPlan } from './plan.ts'
import type { SyncMessage } from './reasons.ts'
import { secretData } from './secret-data.ts'
import type { SecretRequest } from './secret-objects.ts'
import { wantedSecret } from './secret.ts'
import type { SizeBudget } from './size-budget.ts'
import { SecretWriter, type WriteOutcome } from './secret-writer.ts'
import { readOptions, type SyncClass } from './sync-class.ts'

export interface ClassSyncDependencies {
  cluster: SyncCluster
  configuration: () => Configuration
  /** @param token requests a token of the class's ServiceAccount */
  openVaults: (plan: ClassPlan, token: () => Promise<string>) => Result<OpenVaults>
  clock: Clock
  random: Random
  /** Ends every request. */
  abort: AbortSignal
  /** Shared by all classes. */
  budget: SizeBudget
  /** The namespace of the program, which a Role names. */
  programNamespace: string
}

/** What a poll of a class came to. */
export interface SyncPoll {
  messages: SyncMessage[]
  /** Of each Secret that was to be written. */
  writes: { secret: string; outcome: WriteOutcome['kind']; versions: string }[]
  /** `success`: every Secret is as the class wants it; `refused`: a person has to fix something in the cluster; `failed`: a retry may help. */
  result: 'success' | 'refused' | 'failed'
  /** In milliseconds; absent if nothing is known of the class. */
  interval?: number
  /** How long the vault asked to wait, in milliseconds. */
  retryAfter?: number
}

/** What stays from one poll of a class to the next, until the class, its ServiceAccount or the configuration changes. */
interface Situation {
  key: string
  configuration: Configuration
  plan: ClassPlan
  reader: ClassReader
  writer: SecretWriter
  vaults: OpenVaults
}

/** Keeps the Secrets of one class up to date. */
export class ClassSync {
  readonly #namespace: string
  readonly #name: string
  readonly #dependencies: ClassSyncDependencies
  #situation: Situation | undefined
  /** The Role that the class needs, as far as it is known. */
  #role: RoleInputs | undefined

  constructor(namespace: string, name: string, dependencies: ClassSyncDependencies) {
    this.#namespace = namespace
    this.#name = name
    this.#dependencies = dependencies
  }

  /** Reads the class, finds out what changed in its vault, and writes what has to be written. It rejects only for a defect. */
  async poll(): Promise<SyncPoll> {
    try {
      const one = await this.#dependencies.cluster.readClass(this.#namespace, this.#name)
      if (one === 'absent') return { messages: [], writes: [], result: 'success' }
      if (one === 'too-large') return refused(`the spec is larger than ${largestSpec / 1024} KiB: split the class`)
      return await this.#pollClass(one)
    } catch (error) {
      const { message, result } = this.#failure(error)
      return { messages: [message], writes: [], result }
    }
  }

  /** The objects of the class, in the versions that were read last. */
  served(): ServedObject[] {
    return this.#situation?.reader.served() ?? []
  }

  close(): void {
    this.#dependencies.budget.release(this.#namespace, this.#name)
    this.#forget()
  }

  #forget(): void {
    this.#situation?.vaults.close()
    this.#situation = undefined
  }

  /** What an error of the API server means for a poll. @param secret the Secret that it is about, if it is about one */
  #failure(error: unknown, secret?: string): { message: SyncMessage; result: 'refused' | 'failed' } {
    const message = `${secret === undefined ? '' : `Secret ${secret}: `}${(error as Error).message}`
    return statusOf(error) === 403
      ? { message: this.#roleMissing(message, secret), result: 'refused' }
      : { message: { reason: 'SyncFailed', message, ...(secret !== undefined && { secret }) }, result: 'failed' }
  }

  /** The message has the Role itself if there is space for it, which the link to the documentation gives up. */
  #roleMissing(whole: string, secret?: string): SyncMessage {
    const allowDelete = whole.includes(ownerRefused)
    const command = `akv-injector sync role ${this.#name}${allowDelete ? ' --allow-delete' : ''}`
    // What the API server says of a missing right repeats its own request at length.
    const said = whole.replace(/: 403 .*\bcannot (get|create|patch) .*/s, ': 403, no Role allows it')
    const text = `${said}: apply what ${command} prints`
    const space = longestMessage - text.length - ', or '.length
    const role = this.#role && shortRoleText({ ...this.#role, allowDelete }, space)
    const message = role === undefined ? text : `${text}, or ${role}`
    const isUnlinked = message.length > longestMessage - linkOf('RoleMissing').length
    return {
      ...{ reason: 'RoleMissing', message },
      ...(role !== undefined && isUnlinked && { isUnlinked }),
      ...(secret !== undefined && { secret }),
    }
  }

  async #pollClass(one: SyncClass): Promise<SyncPoll> {
    const options = readOptions(one.annotations)
    if (!options.ok) return refused(...options.problems)
    const { serviceAccount } = options.value
    this.#role = {
      ...{ namespace: this.#namespace, name: this.#name, serviceAccount },
      secrets: secretNames(one.spec),
      programNamespace: this.#dependencies.programNamespace,
    }
    const account = await this.#dependencies.cluster.readServiceAccount(this.#namespace, serviceAccount)
    if (account === undefined)
      return refused(`there is no ServiceAccount ${serviceAccount}, which ${syncAsAnnotation} names: create it`)
    const planned = this.#plan(one, account)
    if (!planned.ok) return refused(...planned.problems)
    const { plan } = planned.value
    const poll = await this.#sync(one, planned.value)
    if (plan.problems.length > 0) poll.messages.push({ reason: 'SyncRefused', message: plan.problems.join('; ') })
    if (plan.problems.length > 0 && poll.result === 'success') poll.result = 'refused'
    return { ...poll, interval: plan.pollInterval }
  }

  /** Returns the situation of the last poll, or a new one if anything that it depends on has changed. */
  #plan(one: SyncClass, account: ServiceAccount): Result<Situation> {
    const { cluster, clock, random, abort, openVaults, budget } = this.#dependencies
    const configuration = this.#dependencies.configuration()
    const text = JSON.stringify([one, account])
    const key = createHash('sha256').update(text).digest('base64')
    const known = this.#situation
    if (known?.key === key && known.configuration === configuration) return { ok: true, value: known }
    this.#forget()
    const tooMuch = budget.claim(one.namespace, one.name, text.length)
    if (tooMuch !== undefined) return fail(tooMuch)
    const plan = planClass(one, account, configuration)
    if (!plan.ok) return plan
    const { options, audience } = plan.value
    const token = () => cluster.requestToken(one.namespace, options.serviceAccount, audience)
    const vaults = openVaults(plan.value, token)
    if (!vaults.ok) return vaults
    const reader = new ClassReader(plan.value, { vault: (object) => vaults.value.of(object), abort, clock, random })
    // Without the spec, which is large.
    const { namespace, name, uid } = one
    const writer = new SecretWriter({ namespace, name, uid }, options, cluster, clock)
    this.#situation = { key, configuration, plan: plan.value, reader, writer, vaults: vaults.value }
    return { ok: true, value: this.#situation }
  }

  async #sync(one: SyncClass, { plan, reader, writer, vaults }: Situation): Promise<SyncPoll> {
    const poll: SyncPoll = { messages: [], writes: [], result: 'success' }
    const { due, isStale } = await this.#checkAll(plan.secrets, writer, poll)
    if (due.length === 0) return poll
    for (const vault of vaults.all) vault.beginPoll()
    const sets = due.map((request) => objectsOf(request, plan))
    const { read, wanted, changed, failures } = await reader.read(sets, (set) => isStale.has(due[set] as SecretRequest))
    // The end of the program is not a failure of the vault, and the next process goes on.
    if (this.#dependencies.abort.aborted) return { ...poll, result: 'failed' }
    const retryAfter = Math.max(0, ...failures.map((failure) => failure.retryAfter ?? 0))
    if (retryAfter > 0) poll.retryAfter = retryAfter
    const [first] = failures
    if (first !== undefined) {
      poll.result = 'failed'
      poll.messages.push({ reason: 'SyncFailed', message: `${first.message}; its Secrets keep what they have` })
    }
    for (const [index, request] of due.entries()) {
      const set = sets[index] as number[]
      // Until it is written.
      if (set.some((one) => changed.has(one))) writer.forget(request.name)
      const isRead = set.every((one) => wanted.has(one))
      if (read && isRead) await this.#write(one, { plan, writer }, { request, set }, read, poll)
    }
    return poll
  }

  /**
   * Compares all Secrets with what was written. One that is foreign, or cannot be read, is reported, and its objects are not read; it does not
   * hold back the others.
   */
  async #checkAll(
    requests: readonly SecretRequest[],
    writer: SecretWriter,
    poll: SyncPoll,
  ): Promise<{ due: SecretRequest[]; isStale: ReadonlySet<SecretRequest> }> {
    const due: SecretRequest[] = []
    const isStale = new Set<SecretRequest>()
    for (const request of requests) {
      const secret = request.name
      try {
        const checked = await writer.check(request)
        if (checked.ok) {
          due.push(request)
          if (checked.value === 'stale') isStale.add(request)
          continue
        }
        poll.messages.push({ reason: 'Conflict', secret, message: `Secret ${secret}: ${checked.problems.join('; ')}` })
        if (poll.result === 'success') poll.result = 'refused'
      } catch (error) {
        // Without an answer, the others would each take as long.
        if (statusOf(error) === undefined) throw error
        const { message, result } = this.#failure(error, secret)
        poll.messages.push(message)
        if (result === 'failed' || poll.result === 'success') poll.result = result
      }
    }
    return { due, isStale }
  }

  async #write(
    one: SyncClass,
    { plan, writer }: Pick<Situation, 'plan' | 'writer'>,
    { request, set }: { request: SecretRequest; set: readonly number[] },
    read: ReadFiles,
    poll: SyncPoll,
  ): Promise<void> {
    const secret = request.name
    const fails = (message: string): void => {
      if (poll.result === 'success') poll.result = 'failed'
      poll.messages.push({ reason: 'SyncFailed', secret, message: `Secret ${secret} keeps what it has: ${message}` })
    }
    const hasText = [...request.data.values()].some((path) => Object.hasOwn(plan.templates, path))
    const problem = [...set, ...(hasText ? [textProblem] : [])].map((index) => read.problems.get(index)).find(Boolean)
    if (problem !== undefined) return fails(problem)
    if (!read.consistent && set.length > 1) return fails('the vault kept changing while it was read')
    const data = await secretData(request, read.files)
    if (!data.ok) return fails(data.problems.join('; '))
    const versions = new Map(set.map((index) => [nameOf(plan, index), read.versions.get(index) ?? '']))
    const wanted = wantedSecret(one, plan.options, request, data.value, versions)
    const outcome = await writer.write(request, wanted)
    const text = Array.from(versions, ([name, version]) => `${name}@${version}`).join(', ')
    poll.writes.push({ secret, outcome: outcome.kind, versions: text })
    if ('message' in outcome) {
      const message = `Secret ${secret}: ${outcome.message}`
      // Its objects are read again for the next attempt, so it comes later and later.
      poll.result = 'failed'
      // A policy, a quota or another webhook may forbid it too; their messages say so.
      if (outcome.kind === 'forbidden') poll.messages.push(this.#roleMissing(message, secret))
      else poll.messages.push({ reason: outcome.kind === 'conflict' ? 'Conflict' : 'SyncFailed', secret, message })
    } else if (outcome.at !== undefined)
      // Also if it was written before this process began, which may have ended between the write and the Event.
      poll.messages.push({ reason: 'Synced', secret, message: `Secret ${secret} has ${text}`, at: outcome.at })
  }
}

/**
 * What the admission plugin OwnerReferencesPermissionEnforcement says to who may not delete an object whose owner it changes.
 * {@link https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#ownerreferencespermissionenforcement}
 */
const ownerRefused = 'cannot set an ownerRef on a resource'

const nameOf = ({ objects }: ClassPlan, index: number): string => {
  const object = objects[index]
  return object === undefined ? '' : objectName(object).replace(' ', '/')
}

const refused = (...problems: string[]): SyncPoll => ({
  messages: [{ reason: 'SyncRefused', message: problems.join('; ') }],
  ...{ writes: [], result: 'refused' },
})
