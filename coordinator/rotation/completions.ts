import type { PodOwner } from '../../shared/coordination/pod-state.ts'
import { objectKey } from '../../shared/coordination/source.ts'
import type { PodIdentity } from '../tokens.ts'
import type { RotationFacts } from './answer.ts'
import { judge } from './judge.ts'
import type { KnownPod } from './rotations.ts'

/** A rotation that all pods of a group have followed. */
export interface Completion {
  /** The object's key. */
  key: string
  version: string
  pods: number
  /** One of the pods; its controller is known if it names the one of its group. */
  pod: KnownPod
}

/** What was seen last of an object in a group of pods. */
interface Progress {
  version: string
  /** Whether a pod served another version since. */
  isRotating: boolean
}

/** Finds out when all pods of a group use a new version of an object. */
export class Completions {
  /** By namespace, group and object: no more than there are objects of pods. */
  #progress = new Map<string, Progress>()

  /** To be called again and again; returns the rotations that were completed since the last call. */
  check({ rotations, seen, isCovered }: Pick<RotationFacts, 'rotations' | 'seen' | 'isCovered'>): Completion[] {
    const progress = new Map<string, Progress>()
    const completed: Completion[] = []
    for (const { object, pods } of rotations.objects()) {
      const key = objectKey(object)
      const known = seen(object)
      for (const [group, own] of Map.groupBy(pods, ({ identity }) => `${identity.namespace} ${identity.group}`)) {
        const id = `${group} ${key}`
        const before = this.#progress.get(id)
        if (!('object' in known)) {
          if (before) progress.set(id, before)
          continue
        }
        const { version } = known.object.newest
        const states = own.map((pod) => stateOf(pod, key, (uid) => isCovered(uid, key), known.object))
        const isOther = own.some((pod) => (pod.objects.get(key)?.version ?? version) !== version)
        const isRotating = isOther || (before !== undefined && (before.version !== version || before.isRotating))
        const isComplete = states.every((state) => state === 'current')
        progress.set(id, { version, isRotating: isRotating && !isComplete })
        const pod = own.at(-1)
        if (isRotating && isComplete && pod) completed.push({ key, version, pods: own.length, pod })
      }
    }
    this.#progress = progress
    return completed
  }
}

function stateOf(
  pod: KnownPod,
  key: string,
  isCovered: (uid: string) => boolean,
  seen: Parameters<typeof judge>[0]['seen'],
): string {
  const object = pod.objects.get(key)
  return object ? judge({ pod, object, seen, isCovered: isCovered(pod.identity.uid) }).state : 'current'
}

/** The kinds on which Events are written. */
const kinds: ReadonlySet<string> = new Set([
  ...['apps/v1 ReplicaSet', 'apps/v1 StatefulSet', 'apps/v1 DaemonSet', 'batch/v1 Job'],
])

/** Whether a controller is the one of the pod's group, which its token names: a sidecar could report any other. */
export function isOwnerOf({ apiVersion, kind, name }: PodOwner, { group }: Pick<PodIdentity, 'group'>): boolean {
  if (!kinds.has(`${apiVersion} ${kind}`)) return false
  const [groupKind, groupName = ''] = group.split('/')
  const isNamed = name === groupName || (kind === 'ReplicaSet' && name.startsWith(`${groupName}-`))
  return groupKind === kind.toLowerCase() && groupName !== '' && isNamed
}
