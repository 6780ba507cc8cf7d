import type { Settings } from '../../shared/settings.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import type { Pod } from './pod.ts'

export type Mode = Settings['mode']

/** Native sidecars are on by default from this minor version of the kubelet. {@link https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/} */
const nativeSince = 29

/**
 * What the annotation `mode` comes to in this cluster.
 * @param oldestKubelet such as `v1.28.4`; nothing where it is not known, and then it is taken for a new one
 */
export function resolveMode(pod: Pod, values: Values, oldestKubelet: string | undefined, notes: Notes): Mode {
  const minor = Number(/^v?1\.(\d+)/.exec(oldestKubelet ?? '')?.[1] ?? nativeSince)
  if (values.mode === 'native' && minor < nativeSince) {
    notes.problem('mode', `mode native needs kubelets from 1.${nativeSince} on; the oldest here is ${oldestKubelet}`)
  }
  if (values.mode !== 'auto') return values.mode
  if (minor >= nativeSince) return 'native'
  const completes = pod.spec.restartPolicy === 'Never' || pod.spec.restartPolicy === 'OnFailure'
  if (!completes) return 'classic'
  notes.warn('once-for-job', `kubelet ${oldestKubelet} has no native sidecars: secrets are fetched once, so that the pod can complete`) // prettier-ignore
  return 'once'
}
