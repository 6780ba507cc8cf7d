import { environmentContainer } from '../../shared/names.ts'
import { remedyOf } from './failures.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { ContainerStatus, Pod } from './objects.ts'
import { statusesOf } from './pod-images.ts'
import { injectorContainers, placeOf, sidecarOf } from './pod-injection.ts'
import type { Read } from './reader.ts'
import { judgeLog, type LogLine } from './sidecar-log.ts'

const { ok, warn, fail, unread } = findingsOf('sidecar')
/** Limit of the findings about one pod, whose log and messages its author can make up. */
const mostFindings = 20

/** @param log of the sidecar if it runs @param now milliseconds since 1970 */
export function judgeSidecar(pod: Pod, log: Read<LogLine[]> | undefined, now: number): Finding[] {
  const place = placeOf(pod)
  const statuses = statusesOf(pod)
  const isReady = statuses.some(({ name, ready }) => name === sidecarOf(pod)?.name && ready === true)
  const findings = [...statuses.flatMap((one) => judgeRun(place, one)), ...judgeScheduling(pod)]
  if (log?.kind === 'found') findings.push(...judgeLog(place, log.value, isReady, now))
  if (findings.length > mostFindings) {
    const left = findings.length - mostFindings
    return [...findings.slice(0, mostFindings), warn(place, `${left} more findings`, 'solve these first')]
  }
  if (findings.length > 0) return findings
  if (log?.kind === 'unread') return [unread(`${place}, log of the sidecar`, log.reason)]
  return [ok(place, 'the sidecar reports no problem')]
}

/** Whether the sidecar runs, so that it has a log. */
export const isRunning = (pod: Pod): boolean =>
  statusesOf(pod).some(({ name, state }) => name === sidecarOf(pod)?.name && state?.running !== undefined)

/** Judges how the last run of one of the injector's containers ended. */
function judgeRun(place: string, { name, state, lastState, ready }: ContainerStatus): Finding[] {
  if (!injectorContainers.includes(name) || ready === true) return []
  const ended = [state?.terminated, lastState?.terminated].find((one) => one !== undefined && one.exitCode !== 0)
  if (ended === undefined) return []
  const { exitCode = 0, reason = '', message = '' } = ended
  const { said, help } = splitLink(message)
  const text = said === '' ? `ended with exit code ${exitCode} (${reason}) and no message` : `failed: ${said}`
  const remedy =
    name === environmentContainer
      ? 'see troubleshooting.md#a-container-with-environment-variables-does-not-start'
      : remedyOf(said)
  return [{ ...fail(`${place}, container ${name}`, text, remedy), ...help }]
}

/** Splits a termination message from the link at its end. */
function splitLink(message: string): { said: string; help: { help?: string } } {
  const [link, help] = /\s*\(docs: ([\w./:-]{1,200}#[\w-]{1,100})\)\s*$/.exec(message) ?? []
  return link === undefined || help === undefined
    ? { said: message, help: {} }
    : { said: message.slice(0, -link.length), help: { help } }
}

function judgeScheduling({ metadata, status = {} }: Pod): Finding[] {
  const failed = status.conditions?.find(({ type, status: value }) => type === 'PodScheduled' && value === 'False')
  if (failed === undefined) return []
  const { namespace = '', name } = metadata
  return [
    warn(
      `pod ${namespace}/${name}`,
      `is not scheduled: ${failed.message ?? ''}`,
      'the sidecar also needs CPU and memory',
    ),
  ]
}
