import { formatDuration } from '../../shared/duration.ts'
import type { Clock } from '../../shared/clock.ts'
import { textsOf } from '../poll/compose.ts'
import { findKey, volumeRoot, type Failure } from '../../shared/detect/failures.ts'
import type { Selection } from '../../shared/detect/selection.ts'
import type { NotifierStatus } from '../notify/notifier.ts'
import type { TurnStatus } from '../poll/turns.ts'
import { isStale, type State, type VaultState } from './state.ts'

type Times = Pick<Clock, 'now' | 'elapsed'>

export type Status = ReturnType<typeof statusOf>

/** The content of `/status`: names, versions, times and reasons, never a secret value. */
export function statusOf(state: State, notifier: NotifierStatus, clock: Times) {
  const { settings, live, serving } = state
  return {
    version: settings.version,
    pod: state.pod,
    startedAt: time(state.startedAt.now),
    ready: serving !== undefined,
    servingSince: serving && time(serving.since),
    switchedAt: serving && time(serving.switchedAt),
    stale: isStale(state),
    suspended: live.suspend,
    pollInterval: formatDuration(live.pollInterval),
    logLevel: live.logLevel,
    tampered: state.tampered && { ...state.tampered, at: time(state.tampered.at) },
    volumeProblem: failureStatus(state.failures.get(volumeRoot)),
    vaults: state.vaults.map((vault) => ({
      ...vaultStatus(vault, clock),
      covered: state.coordination?.isCovered(vault.url),
    })),
    coordinator: state.coordination && { connected: state.coordination.isConnected },
    turn: state.turns && turnStatus(state.turns.status()),
    objects: Array.from(state.cache.objects(), ([index]) => objectStatus(index, state, clock)),
    finds: state.cache.selection && findsStatus(state.cache.selection, state),
    texts: textsOf(settings).map((text) => ({ ...text, problem: failureStatus(state.failures.get(text.path)) })),
    notification: notificationStatus(notifier),
  }
}

const turnStatus = ({ state, place, reason, since, halts }: TurnStatus) => ({
  ...{ state, place, reason, since: time(since) },
  halts: halts.map((halt) => halt.reason),
})

function vaultStatus({ name, url, schedule: { failures, dueAt }, ...state }: VaultState, clock: Times) {
  return {
    name,
    url,
    lastPoll: time(state.lastPollAt),
    lastSuccess: time(state.lastSuccessAt),
    lastSuccessAge: state.lastSuccessAt === undefined ? undefined : seconds(clock.now() - state.lastSuccessAt),
    lastError: state.lastError && { at: time(state.lastError.at), message: state.lastError.message },
    failures,
    nextPoll: time(clock.now() + Math.max(0, dueAt - clock.elapsed())),
  }
}

function objectStatus(index: number, { cache, failures }: State, clock: Times) {
  const object = cache.object(index)
  const record = cache.record(index)
  return {
    vault: object?.vault,
    type: object?.type,
    name: object?.name,
    path: object?.path,
    pinned: object?.version !== undefined,
    version: record?.version,
    fetchedAt: time(record?.fetchedAt),
    age: record && seconds(clock.now() - record.fetchedAt),
    updated: time(record?.attributes.updated, 1000),
    expires: time(record?.attributes.expires, 1000),
    notBefore: time(record?.attributes.notBefore, 1000),
    problem: failureStatus(failures.get(index)),
  }
}

const findsStatus = ({ finds, matches, isComplete }: Selection, { failures }: State) =>
  finds.map(({ vault, type, name, tags, group }, index) => ({
    ...{ vault, type, name, tags, group },
    complete: isComplete(index),
    matches: matches.values().reduce((sum, { find }) => sum + Number(find === index), 0),
    problem: failureStatus(failures.get(findKey(index))),
  }))

const failureStatus = (failure: Failure | undefined) =>
  failure && { kind: failure.kind, message: failure.message, since: time(failure.since) }

function notificationStatus({ pending, channels, targets, permission }: NotifierStatus) {
  const last = Object.values(channels).map(({ at, ...report }) => ({ ...report, at: time(at) }))
  return {
    pending: pending && { ...pending, switchedAt: time(pending.switchedAt), dueAt: time(pending.dueAt) },
    last,
    targets: targets.map(({ since, ...target }) => ({ ...target, since: time(since) })),
    permission: permission && { ...permission, at: time(permission.at) },
  }
}

/** A time in ISO 8601. @param unit milliseconds of one unit of the value; the vault's times are in seconds */
function time(value: number | undefined, unit = 1): string | undefined {
  // A vault may send any number; beyond the range of dates there is nothing to print.
  if (value === undefined || Math.abs(value * unit) > 8.64e15) return undefined
  return new Date(value * unit).toISOString()
}

const seconds = (milliseconds: number): number => Math.round(milliseconds / 1000)
