import type { Settings } from '../../shared/settings/codec.ts'
import { annotationPrefix } from '../../shared/names.ts'
import type { PlanContext } from './context.ts'

export type Mode = Settings['mode']

/** Native sidecars are on by default from this minor version of the kubelet. {@link https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/} */
const nativeSince = 29

/**
 * Returns the mode that the annotation `mode` selects in this cluster. A pod that completes gets `classic` only if it requests that itself.
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
  const mode = values.mode === 'auto' ? (minor < nativeSince ? 'classic' : 'native') : values.mode
  if (mode !== 'classic' || !completes) return mode
  if (values.mode === 'classic' && Object.hasOwn(pod.metadata?.annotations ?? {}, `${annotationPrefix}mode`)) {
    diagnostics.warn(
      'classic-for-job',
      'remove the annotation mode, or set mode: once: the sidecar container of mode classic runs on after the app has ended, so the pod never completes',
    )
    return mode
  }
  diagnostics.warn(
    'once-for-job',
    minor < nativeSince
      ? `upgrade the nodes to Kubernetes 1.${nativeSince} for rotation: one runs ${oldestKubelet}, which has no native sidecars, so the pod gets its secrets once in order to complete`
      : 'set the annotation mode: native on the pod for rotation: the default mode of the Namespace or the administrator is classic, so the pod gets its secrets once in order to complete',
  )
  return 'once'
}
