import { noMount } from '../../shared/annotations/parsers.ts'
import { secretsVolume } from '../../shared/names.ts'
import { allContainers } from '../pod/pod.ts'
import type { PlanContext } from './context.ts'
import type { Mode } from './mode.ts'

/** Warns of annotations that have no effect. */
export function warnOfNoEffect({ pod, values, diagnostics }: PlanContext, mode: Mode): void {
  const isMounted = allContainers(pod).some(({ volumeMounts = [] }) =>
    volumeMounts.some(({ name }) => name === secretsVolume),
  )
  if (values['mount-path'] === noMount && values.env === undefined && !isMounted)
    diagnostics.warn('no-effect', 'add the annotation env, or remove mount-path: with none, no container gets a secret')
  for (const name of ['signal', 'notify-url'] as const) {
    if (mode === 'once' && values[name] !== undefined)
      diagnostics.warn(
        'no-effect',
        `remove ${name}, or use another mode: it has no effect in mode once, in which nothing changes after the start`,
      )
  }
  for (const name of ['signal-container', 'signal-process'] as const) {
    if (values.signal === undefined && values[name] !== undefined)
      diagnostics.warn('no-effect', `add the annotation signal, or remove ${name}: it has no effect alone`)
  }
}
