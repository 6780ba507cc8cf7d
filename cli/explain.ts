import { didYouMean } from '../shared/messages.ts'
import { sidecarAnchor } from '../shared/names.ts'
import { outcomes } from '../shared/outcomes.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { syncReasons } from '../sync/reasons.ts'
import { denyReasons, missReasons, skipReasons, warningReasons } from '../webhook/reasons.ts'

const tables: readonly (readonly [kind: string, reasons: Readonly<Record<string, string>>])[] = [
  ['the pod is denied', denyReasons],
  ['a warning', warningReasons],
  ['the pod is left alone', skipReasons],
  ['the audit found the pod without a sidecar', missReasons],
  ['an Event on a SecretProviderClass', syncReasons],
  [
    'the sidecar',
    Object.fromEntries(Object.entries(outcomes).map(([code, { meaning }]) => [sidecarAnchor(code), meaning])),
  ],
]

/** Returns the meaning of a reason code, with a line for each of its uses. */
export function explain(code: string): Result<string[]> {
  const lines = tables.flatMap(([kind, reasons]) =>
    Object.hasOwn(reasons, code) ? [`${code} (${kind}): ${reasons[code]}`] : [],
  )
  const known = tables.flatMap(([, reasons]) => Object.keys(reasons))
  return lines.length > 0 ? ok(lines) : fail(`there is no reason "${code}"${didYouMean(code, known)}`)
}
