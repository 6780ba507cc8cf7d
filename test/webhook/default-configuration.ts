import { parseConfiguration, type Configuration } from '../../webhook/configuration/configuration.ts'
import type { PlanInputs } from '../../webhook/plan/inputs.ts'

export const clientId = '11111111-1111-1111-1111-111111111111'
export const tenantId = '22222222-2222-2222-2222-222222222222'

/** A configuration from what the administrator's file would say, as JSON. */
export function configurationOf(file: object = {}): Configuration {
  const parsed = parseConfiguration(JSON.stringify({ tenantId, ...file }))
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return parsed.value
}

/** What a decision rests on where a test does not say otherwise. */
export const planInputs = (changes: Partial<PlanInputs> = {}): PlanInputs => ({
  namespace: { name: 'shop', labels: {}, annotations: {} },
  serviceAccount: { annotations: { 'azure.workload.identity/client-id': clientId } },
  limitRanges: [],
  configuration: configurationOf(),
  image: 'registry.example/akv-injector:0.1.0',
  version: '0.1.0',
  ...changes,
})
