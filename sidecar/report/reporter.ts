import type { Logger } from '../../shared/log.ts'
import { objectName, type ObjectSpec } from '../../shared/objects/spec.ts'
import { findName, type FindSpec } from '../../shared/objects/find.ts'
import { findKey, type Failure } from '../../shared/detect/failures.ts'
import type { Match } from '../../shared/detect/selection.ts'
import { metrics, type Registry } from './metrics.ts'
import type { OutcomeReport, PermissionReport } from '../notify/notifier.ts'
import type { Expiring } from './expiry.ts'
import type { LiveValues } from '../live/annotations.ts'
import type { PollOutcome } from '../poll/outcome.ts'
import { textsOf } from '../poll/compose.ts'
import type { State, VaultState } from './state.ts'
import type { PollResult, VolumeUpdate } from '../poll/context.ts'
import type { SignIn } from '../../shared/vault/sign-in/credential.ts'
import type { VaultRequest } from '../../shared/vault/key-vault/client.ts'

const objectKey = ({ vault, type, name, path }: ObjectSpec): string => `${vault} ${type} ${name} ${path}`

/** Names of matches in one log line. */
const mostNames = 20

/** Writes log lines and counts metrics; every line has an `event`, and none has a secret value. */
export class Reporter {
  readonly #log: Logger
  readonly #registry: Registry
  /** The message logged last for each failing object, template or bundle. */
  readonly #reported = new Map<string, string>()

  constructor(log: Logger, registry: Registry) {
    this.#log = log
    this.#registry = registry
  }

  /** The audit line of a vault operation; those that read no value are logged at level debug. */
  request = ({ vault, operation, durationMs, requests, outcome, ...rest }: VaultRequest): void => {
    this.#registry.observe(metrics.requests, durationMs / 1000, { vault, operation, outcome })
    this.#registry.add(metrics.httpRequests, { vault, operation }, requests)
    if (outcome === 'throttled') this.#registry.add(metrics.throttled, { vault })
    const line = {
      event: 'vault-request',
      vault,
      operation,
      ...rest,
      outcome,
      requests,
      durationMs: Math.round(durationMs),
    }
    this.#log[operation === 'get' ? 'info' : 'debug'](line, `${operation} ${rest.type} ${rest.object ?? ''}`.trim())
  }

  signIn = ({ durationMs, message, ...rest }: SignIn): void => {
    const isGood = rest.outcome === 'success'
    this.#registry.add(metrics.signIns, { outcome: rest.outcome })
    const line = { event: 'sign-in', ...rest, durationMs: Math.round(durationMs) }
    this.#log[isGood ? 'info' : 'warn'](line, isGood ? 'signed in' : (message ?? 'sign-in failed'))
  }

  /** The result of a poll of a vault. */
  #poll(vault: string, { result, message }: PollOutcome, { read, warnings, volumeError }: PollResult): void {
    this.#registry.add(metrics.polls, { vault, outcome: result })
    for (const warning of warnings) this.#log.warn({ event: 'content-warning', vault }, warning)
    if (volumeError) this.#switchFailed(volumeError)
    const counts = { read: read.reads.size, unchanged: read.unchanged.length, failed: read.failures.size }
    if (result === 'success') this.#log.debug({ event: 'poll', vault, result, ...counts }, 'polled')
    else this.#log.warn({ event: 'poll', vault, result, ...counts }, message ?? 'the poll failed')
  }

  /** Files of a previous process are served until the vaults have been read. */
  serving(switchedAt: number): void {
    const since = new Date(switchedAt).toISOString()
    this.#log.info(
      { event: 'serving', stale: true, switchedAt: since },
      `serving the set of files of ${since} that is in the volume`,
    )
  }

  started(role: string, { settings: { version, objects, mountPath }, pod }: State): void {
    this.#log.info({ event: 'started', role, version, pod, mountPath, objects: objects.length }, 'started')
  }

  /** A poll, its switch, and the objects, templates and bundles that began to fail or recovered. */
  polled(vault: VaultState, result: PollResult, outcome: PollOutcome, { settings, cache, failures }: State): void {
    this.#poll(vault.name, outcome, result)
    this.#selected(vault.name, result)
    this.#switch(result, { vault: vault.name, read: result.read })
    for (const index of vault.sources.flatMap(({ objects }) => objects)) {
      const object = cache.object(index)
      const failure = failures.get(index)
      // The failure that ended the poll is logged for the object that it happened to.
      if (object && !failure?.isUnread) this.#object(object, failure)
    }
    for (const index of result.read.search?.finds ?? []) {
      const find = cache.selection?.finds[index]
      if (find) this.#find(index, find, failures.get(findKey(index)))
    }
    for (const text of textsOf(settings)) this.#text(text, failures.get(text.path))
  }

  /** Problems of the pod's live annotations, and their values after a change. */
  live(problems: readonly string[], changed?: LiveValues): void {
    for (const problem of problems) this.#log.warn({ event: 'live', problem }, `invalid live annotation: ${problem}`)
    if (changed) this.#log.info({ event: 'live', ...changed }, 'live annotations changed')
  }

  refresh(isSuspended: boolean): void {
    const what = isSuspended ? 'refresh requested; the vaults are polled when suspend ends' : 'refresh requested'
    this.#log.info({ event: 'refresh', suspended: isSuspended }, what)
  }

  expiring({ what, expires, message }: Expiring): void {
    this.#log.warn({ event: 'expiring', object: what, expires: new Date(expires * 1000).toISOString() }, message)
  }

  volume(error: Error): void {
    this.#log.error(
      { event: 'volume', code: (error as NodeJS.ErrnoException).code },
      `could not read the volume: ${error.message}`,
    )
  }

  /** A bug: the sidecar continues, whatever it is. */
  defect(where: string, error: Error): void {
    this.#log.error(
      { event: 'defect', where, stack: error.stack?.split('\n').slice(1).join('\n') },
      `unexpected ${error.name} in ${where}; please report it`,
    )
  }

  /** The delay until the next poll after one that failed. */
  retrying(vault: string, failures: number, delay: number): void {
    this.#log.info(
      { event: 'retry', vault, failures, delayMs: Math.round(delay) },
      `polling the vault again in ${Math.round(delay / 1000)} s`,
    )
  }

  /** A switch apart from a poll: the set had waited for the pod's turn. */
  turned(update: VolumeUpdate): void {
    if (update.volumeError) this.#switchFailed(update.volumeError)
    this.#switch(update)
  }

  #switchFailed({ code, message }: NodeJS.ErrnoException): void {
    this.#registry.add(metrics.switches, { outcome: 'failed' })
    this.#log.error(
      { event: 'switch-failed', code },
      `could not write the new set of files, the current files stay: ${message}`,
    )
  }

  /** @param polled the vault whose poll it belongs to, and what the poll read */
  #switch({ switched, current }: VolumeUpdate, polled?: { vault: string; read: PollResult['read'] }): void {
    if (!switched) return
    const isFirst = current?.notification === undefined
    const { set, paths } = switched
    const changed = current?.notification?.changed ?? []
    this.#registry.add(metrics.switches, { outcome: 'success' })
    if (!isFirst)
      this.#registry.add(
        metrics.changedObjects,
        {},
        changed.filter(({ type }) => type !== 'template' && type !== 'bundle').length,
      )
    const line = {
      event: 'switched',
      vault: polled?.vault,
      first: isFirst,
      files: set.files.size,
      changedFiles: paths.size,
      changed,
      settled: polled?.read.consistent,
    }
    this.#log.info(line, isFirst ? 'switched to the first set of files' : 'switched to a new set of files')
    if (!polled || polled.read.consistent) return
    this.#registry.add(metrics.unsettled)
    this.#log.warn(
      { event: 'unsettled', vault: polled.vault },
      'the vault kept changing or failed to confirm its values: the new files may not belong together; the next poll reads what has changed since',
    )
  }

  /** What finds select in addition, and no longer; names only, a bounded number of them. */
  #selected(vault: string, { selected }: PollResult): void {
    if (!selected || selected.added.length + selected.removed.length === 0) return
    const { added, removed } = selected
    // A failure of an object that ended is neither reported nor over.
    for (const { object } of removed) this.#reported.delete(objectKey(object))
    const namesOf = (matches: readonly Match[]) => matches.slice(0, mostNames).map(({ object }) => objectName(object))
    this.#log.info(
      { event: 'found', vault, added: namesOf(added), removed: namesOf(removed) },
      `finds select ${added.length} more objects and ${removed.length} no longer`,
    )
  }

  #find(index: number, find: FindSpec, failure: Failure | undefined): void {
    const { vault, type, name, group } = find
    const line = { event: 'find', vault, type, name, group }
    this.#reportChange(`find ${index}`, failure, line, findName(find))
  }

  /** Logs that an object begins to fail, fails differently or recovered. */
  #object(object: ObjectSpec, failure: Failure | undefined): void {
    const { vault, type, name, path } = object
    this.#reportChange(
      objectKey(object),
      failure,
      { event: 'object', vault, type, name, path, optional: object.optional },
      objectName(object),
    )
  }

  #text({ type, path }: { type: string; path: string }, failure: Failure | undefined): void {
    this.#reportChange(`${type} ${path}`, failure, { event: 'text', type, path }, `${type} ${path}`)
  }

  /** Names only paths of the pod's settings, never names found in the volume. */
  tampered({ entries, count }: NonNullable<State['tampered']>): void {
    this.#registry.add(metrics.tampered)
    const rest = count > entries.length ? ` and ${count - entries.length} more` : ''
    this.#log.error(
      { event: 'volume-tampered', entries, count },
      `something other than the sidecar changed ${entries.join(', ')}${rest} in the volume; the sidecar reads all objects again and restores the files. Find out which container runs as the sidecar's user`,
    )
  }

  /** A connection that a limit of the sidecar's port closed: only counted, because anyone can cause any number. */
  connectionClosed = (limit: string): void => {
    this.#registry.add(metrics.connectionsClosed, { limit })
  }

  outcome = ({ channel, outcome }: OutcomeReport): void => {
    this.#registry.add(metrics.notifications, { channel, outcome })
  }

  permission = ({ outcome }: PermissionReport): void => {
    this.#registry.clear(metrics.signalPermitted)
    this.#registry.set(metrics.signalPermitted, outcome === 'permitted', { outcome })
  }

  #reportChange(key: string, failure: Failure | undefined, line: Record<string, unknown>, what: string): void {
    const said = this.#reported.get(key)
    if (failure === undefined) {
      if (said !== undefined) this.#log.info({ ...line, state: 'recovered' }, `${what} recovered`)
      this.#reported.delete(key)
    } else if (said !== failure.message) {
      this.#log.warn({ ...line, state: 'failing', kind: failure.kind }, failure.message)
      this.#reported.set(key, failure.message)
    }
  }
}
