import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Limits } from '../../shared/kubernetes/limit-range.ts'
import type { PlanInputs } from '../../webhook/plan/inputs.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'

/** A pod and what the decision depends on, from `<case>.yaml` in test/webhook/golden. */
export interface GoldenCase {
  pod: Pod
  configuration?: object
  namespace?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  serviceAccount?: { annotations: Record<string, string> } | null
  oldestKubelet?: string
  apiServer?: string
  limitRanges?: Limits[]
  /** The `spec`s by name. */
  secretProviderClasses?: Record<string, unknown>
}

export const goldenFolder = join(import.meta.dirname, '../webhook/golden')

/** The names of the cases, without an extension. */
export const goldenNames = readdirSync(goldenFolder)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length))

/** Reads a case. An alias in YAML would be one object at two places, which JSON does not have, so each becomes a copy. */
export const readGoldenCase = (name: string): GoldenCase =>
  JSON.parse(JSON.stringify(parse(readFileSync(join(goldenFolder, `${name}.yaml`), 'utf8')))) as GoldenCase

/** Returns what the decision about a case's pod depends on. */
export function inputsOf(given: GoldenCase): PlanInputs {
  const {
    configuration,
    namespace,
    serviceAccount,
    oldestKubelet,
    apiServer,
    limitRanges = [],
    secretProviderClasses = {},
  } = given
  const { serviceAccount: known, ...rest } = planInputs({
    configuration: configurationOf(configuration),
    namespace: { name: 'shop', labels: {}, annotations: {}, ...namespace },
    ...(oldestKubelet === undefined ? {} : { oldestKubelet }),
    ...(apiServer === undefined ? {} : { apiServer }),
    limitRanges,
    secretProviderClasses: new Map(Object.entries(secretProviderClasses).map(([name, spec]) => [name, { spec }])),
  })
  if (serviceAccount === null) return rest
  return { ...rest, serviceAccount: serviceAccount ?? known ?? { annotations: {} } }
}
