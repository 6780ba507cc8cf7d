import { formatDuration } from '../shared/duration.ts'
import type { Clock } from './clock.ts'
import { textsOf } from './compose.ts'
import type { Problem } from './memory.ts'
import type { NotifierStatus } from './notify/notifier.ts'
import { isStale, type State, type VaultState } from './state.ts'

type Times = Pick<Clock, 'now' | 'elapsed'>

export type Status = ReturnType<typeof statusOf>

/** What `/status` tells: names, versions, times and reasons, never a value. */
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
    volumeProblem: problemStatus(state.volumeProblem),
    vaults: state.vaults.map((vault) => vaultStatus(vault, clock)),
    objects: settings.objects.map((_, index) => objectStatus(index, state, clock)),
    texts: textsOf(settings).map((text) => ({ ...text, problem: problemStatus(state.textProblems.get(text.path)) })),
    notification: notificationStatus(notifier),
  }
}

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

function objectStatus(index: number, { settings, memory }: State, clock: Times) {
  const object = settings.objects[index]
  const record = memory.record(index)
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
    problem: problemStatus(memory.problems.get(index)),
  }
}

const problemStatus = (problem: Problem | undefined) =>
  problem && { kind: problem.kind, message: problem.message, since: time(problem.since) }

function notificationStatus({ pending, channels, targets, permission }: NotifierStatus) {
  const last = Object.values(channels).map(({ at, ...report }) => ({ ...report, at: time(at) }))
  return {
    pending: pending && { ...pending, switchedAt: time(pending.switchedAt), dueAt: time(pending.dueAt) },
    last,
    targets: targets.map(({ since, ...target }) => ({ ...target, since: time(since) })),
    permission: permission && { ...permission, at: time(permission.at) },
  }
}

/** A time as people read it; the vault's are in seconds. */
function time(value: number | undefined, unit = 1): string | undefined {
  // Beyond the range of dates (a vault may say anything) there is nothing to print.
  if (value === undefined || Math.abs(value * unit) > 8.64e15) return undefined
  return new Date(value * unit).toISOString()
}

const seconds = (milliseconds: number): number => Math.round(milliseconds / 1000)
