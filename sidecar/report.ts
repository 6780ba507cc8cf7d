import type { Logger } from '../shared/log.ts'
import { objectName, type ObjectSpec } from '../shared/object-spec.ts'
import type { Problem } from './memory.ts'
import { metrics, type Registry } from './metrics.ts'
import type { OutcomeReport, PermissionReport } from './notify/notifier.ts'
import type { Expiring } from './expiry.ts'
import type { LiveValues } from './live.ts'
import type { Verdict } from './judge.ts'
import { textsOf } from './compose.ts'
import type { State, VaultState } from './state.ts'
import type { Ticked } from './tick.ts'
import type { SignIn } from './vault/credential.ts'
import type { VaultRequest } from './vault/key-vault.ts'

/** Tells log and metrics what happens; every line has an `event`, and none a value. */
export class Report {
  readonly #log: Logger
  readonly #registry: Registry
  /** What was last said of an object, a template or a bundle. */
  readonly #told = new Map<string, string>()

  constructor(log: Logger, registry: Registry) {
    this.#log = log
    this.#registry = registry
  }

  /** The audit line of a call of a vault; those that read no value are of interest only when they fail. */
  request = ({ vault, operation, durationMs, requests, outcome, ...rest }: VaultRequest): void => {
    this.#registry.observe(metrics.requests, durationMs / 1000, { vault, operation, outcome })
    this.#registry.add(metrics.httpRequests, { vault, operation }, requests)
    if (outcome === 'throttled') this.#registry.add(metrics.throttled, { vault })
    const line = { event: 'vault-request', vault, operation, ...rest, outcome, requests, durationMs: Math.round(durationMs) } // prettier-ignore
    this.#log[operation === 'get' ? 'info' : 'debug'](line, `${operation} ${rest.type} ${rest.object ?? ''}`.trim())
  }

  signIn = ({ durationMs, message, ...rest }: SignIn): void => {
    const isGood = rest.outcome === 'success'
    this.#registry.add(metrics.signIns, { outcome: rest.outcome })
    const line = { event: 'sign-in', ...rest, durationMs: Math.round(durationMs) }
    this.#log[isGood ? 'info' : 'warn'](line, isGood ? 'signed in' : (message ?? 'signing in failed'))
  }

  /** A poll of a vault. */
  #polled(vault: string, { result, message }: Verdict, { found, warnings, volumeError }: Ticked): void {
    this.#registry.add(metrics.polls, { vault, outcome: result })
    for (const warning of warnings) this.#log.warn({ event: 'content-warning', vault }, warning)
    if (volumeError) {
      this.#registry.add(metrics.switches, { outcome: 'failed' })
      this.#log.error({ event: 'switch-failed', code: volumeError.code }, `the new set could not be written, the files stay as they are: ${volumeError.message}`) // prettier-ignore
    }
    const counts = { read: found.reads.size, unchanged: found.unchanged.length, failed: found.failures.size }
    if (result === 'success') this.#log.debug({ event: 'poll', vault, result, ...counts }, 'polled')
    else this.#log.warn({ event: 'poll', vault, result, ...counts }, message ?? 'the poll failed')
  }

  /** The files of an earlier start are served while the vaults are asked. */
  serving(switchedAt: number): void {
    const since = new Date(switchedAt).toISOString()
    this.#log.info({ event: 'serving', stale: true, switchedAt: since }, `serving the set of ${since} that is in the volume`) // prettier-ignore
  }

  started(role: string, { settings: { version, objects, mountPath }, pod }: State): void {
    this.#log.info({ event: 'started', role, version, pod, mountPath, objects: objects.length }, 'started')
  }

  /** A poll, what it switched in, and which objects, templates and bundles began or ceased to fail. */
  ticked(vault: VaultState, ticked: Ticked, verdict: Verdict, { settings, memory, textProblems }: State): void {
    this.#polled(vault.name, verdict, ticked)
    this.#switched(vault.name, ticked)
    for (const index of vault.sources.flatMap(({ objects }) => objects)) {
      const object = settings.objects[index]
      if (object) this.#object(object, memory.problems.get(index))
    }
    for (const text of textsOf(settings)) this.#text(text, textProblems.get(text.path))
  }

  /** What is wrong with the pod's annotations, and what a change of them changed. */
  live(problems: readonly string[], changed?: LiveValues): void {
    for (const problem of problems) this.#log.warn({ event: 'live', problem }, `a pod annotation: ${problem}`)
    if (changed) this.#log.info({ event: 'live', ...changed }, 'the pod annotations changed')
  }

  refresh(isSuspended: boolean): void {
    const what = isSuspended ? 'a poll was asked for: it comes when suspend ends' : 'a poll was asked for'
    this.#log.info({ event: 'refresh', suspended: isSuspended }, what)
  }

  expiring({ what, expires, message }: Expiring): void {
    this.#log.warn({ event: 'expiring', object: what, expires: new Date(expires * 1000).toISOString() }, message)
  }

  volume(error: Error): void {
    this.#log.error({ event: 'volume', code: (error as NodeJS.ErrnoException).code }, `the volume cannot be read: ${error.message}`) // prettier-ignore
  }

  /** A defect of ours: whatever it is, the sidecar goes on. */
  defect(where: string, error: Error): void {
    this.#log.error({ event: 'defect', where, stack: error.stack?.split('\n').slice(1).join('\n') }, `${where} failed unexpectedly (${error.name})`) // prettier-ignore
  }

  /** When the next poll comes after one that failed. */
  retrying(vault: string, failures: number, delay: number): void {
    this.#log.info({ event: 'retry', vault, failures, delayMs: Math.round(delay) }, `the vault is asked again in ${Math.round(delay / 1000)} s`) // prettier-ignore
  }

  #switched(vault: string, { switched, current, found }: Ticked): void {
    if (!switched) return
    const isFirst = current?.notification === undefined
    const { set, paths } = switched
    const changed = current?.notification?.changed ?? []
    this.#registry.add(metrics.switches, { outcome: 'success' })
    if (!isFirst) this.#registry.add(metrics.changedObjects, {}, changed.filter(({ type }) => type !== 'template' && type !== 'bundle').length) // prettier-ignore
    const line = { event: 'switched', vault, first: isFirst, files: set.files.size, changedFiles: paths.size, changed, settled: found.settled } // prettier-ignore
    this.#log.info(line, isFirst ? 'the first set of files is in place' : 'a new set of files is in place')
    if (found.settled) return
    this.#registry.add(metrics.unsettled)
    this.#log.warn({ event: 'unsettled', vault }, 'the vault kept changing or did not confirm: the new values may not belong together; the next poll reads what changed since') // prettier-ignore
  }

  /** Says of an object when it begins to fail, fails differently, and is well again. */
  #object(object: ObjectSpec, problem: Problem | undefined): void {
    const { vault, type, name, path } = object
    this.#tellOnce(`${vault} ${type} ${name} ${path}`, problem, { event: 'object', vault, type, name, path, optional: object.optional }, objectName(object)) // prettier-ignore
  }

  #text({ type, path }: { type: string; path: string }, problem: Problem | undefined): void {
    this.#tellOnce(`${type} ${path}`, problem, { event: 'text', type, path }, `${type} ${path}`)
  }

  /** Names only paths that the pod's settings ask for, never what was found there. */
  tampered({ entries, count }: NonNullable<State['tampered']>): void {
    this.#registry.add(metrics.tampered)
    const rest = count > entries.length ? ` and ${count - entries.length} more` : ''
    this.#log.error({ event: 'volume-tampered', entries, count }, `something other than the sidecar changed ${entries.join(', ')}${rest} in the volume; the sidecar reads all objects again and restores the files; find out which container runs as the sidecar's user`) // prettier-ignore
  }

  /** A connection that a limit of the sidecar's port closed: counted only, because anyone may cause any number. */
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

  #tellOnce(key: string, problem: Problem | undefined, line: Record<string, unknown>, what: string): void {
    const said = this.#told.get(key)
    if (problem === undefined) {
      if (said !== undefined) this.#log.info({ ...line, state: 'recovered' }, `${what} is well again`)
      this.#told.delete(key)
    } else if (said !== problem.message) {
      this.#log.warn({ ...line, state: 'failing', kind: problem.kind }, problem.message)
      this.#told.set(key, problem.message)
    }
  }
}
