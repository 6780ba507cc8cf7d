import type { Settings } from '../../shared/settings/codec.ts'
import type { PlanContext } from './context.ts'

export type Mode = Settings['mode']

/** Native sidecars are on by default from this minor version of the kubelet. {@link https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/} */
const nativeSince = 29

/**
 * Returns the mode that the annotation `mode` selects in this cluster.
 * @param oldestKubelet a version such as `v1.28.4`; if undefined, kubelets are assumed to be new
 */
export function resolveMode({ pod, values, diagnostics }: PlanContext, oldestKubelet: string | undefined): Mode {
  const minor = Number(/^v?1\.(\d+)/.exec(oldestKubelet ?? '')?.[1] ?? nativeSince)
  const completes = pod.spec.restartPolicy === 'Never' || pod.spec.restartPolicy === 'OnFailure'
  if (values.mode === 'native' && minor < nativeSince) {
    diagnostics.problem(
      'mode',
      `mode native needs every node on Kubernetes 1.${nativeSince} or newer, and one runs ${oldestKubelet}: remove the annotation mode (auto selects ${completes ? 'once' : 'classic'}), or upgrade the nodes`,
    )
  }
  if (values.mode !== 'auto') return values.mode
  if (minor >= nativeSince) return 'native'
  if (!completes) return 'classic'
  diagnostics.warn(
    'once-for-job',
    `upgrade the nodes to Kubernetes 1.${nativeSince} for rotation: one runs ${oldestKubelet}, which has no native sidecars, so the pod gets its secrets once in order to complete`,
  )
  return 'once'
}
