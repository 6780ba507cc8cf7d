import { printable } from '../printable.ts'
import { isUnknown, podStates, type ObjectRotation, type PodRotation, type RotationAnswer } from './rotation.ts'

/** What no answer covers. */
const always = 'This says nothing about other clusters, pods in mode once, and apps that read the vault themselves.'

/** Pods without a session that are named. */
const mostPods = 500

/** Returns an answer as lines of text, for a terminal. */
export function rotationText({ vault, name, objects, withoutSession = [], unknown }: RotationAnswer): string {
  const lines = [
    ...(objects.length === 0 ? [`vault ${vault}, object ${name}`] : []),
    ...objects.flatMap(objectLines),
    ...withoutSession.slice(0, mostPods).map(podLine),
    ...(withoutSession.length > mostPods ? [`  ${withoutSession.length - mostPods} more have no session`] : []),
    ...unknown.map((reason) => `not known: ${reason}`),
    always,
  ]
  return `${lines.map(printable).join('\n')}\n`
}

function objectLines({ vault, type, name, newest, total, current, others, left, unknown }: ObjectRotation): string[] {
  const created = newest?.created === undefined ? undefined : new Date(newest.created * 1000)
  const since = created && Number.isFinite(created.getTime()) ? `, created ${created.toISOString()}` : ''
  const version = newest ? `newest version ${newest.version}${since}` : 'the newest version is not known'
  return [
    `${type} ${name} in ${vault}: ${version}`,
    `  ${current} of ${total} pods: ${podStates.current}`,
    ...others.map(podLine),
    ...(left.behind > 0 ? [`  ${left.behind} more do not use it`] : []),
    ...(left.unknown > 0 ? [`  ${left.unknown} more are not known`] : []),
    ...unknown.map((reason) => `  not known: ${reason}`),
  ]
}

function podLine({ namespace, pod, state, version, cause }: PodRotation): string {
  const serves = version === undefined ? '' : ` (serves ${version})`
  return `  ${namespace}/${pod}: ${isUnknown(state) ? 'not known: ' : ''}${state}${serves}: ${cause}`
}
