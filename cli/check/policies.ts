import { expectedPolicies } from './expected.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Named } from './objects.ts'
import type { Read, Reader } from './reader.ts'
import { minorOf } from './versions.ts'

const { ok, fail, unread } = findingsOf('policies')
const group = '/apis/admissionregistration.k8s.io/v1'
/** Clusters before this minor version of Kubernetes have no such policies. */
const firstWithPolicies = 30

export interface Binding extends Named {
  spec?: { policyName?: string; validationActions?: string[] }
}
interface ReadPolicy {
  name: string
  policy: Read<Named>
  binding: Read<Binding>
}

const whatIsLost: Record<(typeof expectedPolicies)[number]['name'], string> = {
  'akv-injector-own-registrations': 'nothing but RBAC restricts what the webhook changes in its registrations',
  'akv-injector-forgotten-labels': 'nobody is warned of a forgotten label',
}

export async function checkPolicies(reader: Reader, version: string | undefined): Promise<Finding[]> {
  if ((minorOf(version) ?? firstWithPolicies) < firstWithPolicies)
    return [ok('ValidatingAdmissionPolicies', `Kubernetes ${version} does not have them`)]
  const found = await Promise.all(
    expectedPolicies.map(async ({ name }): Promise<ReadPolicy> => {
      const [policy, binding] = await Promise.all([
        reader.get<Named>(`${group}/validatingadmissionpolicies/${name}`, { metadata: { name: true } }),
        reader.get<Binding>(`${group}/validatingadmissionpolicybindings/${name}`, {
          metadata: { name: true },
          spec: { policyName: true, validationActions: true },
        }),
      ])
      return { name, policy, binding }
    }),
  )
  return judgePolicies(found)
}

export function judgePolicies(found: readonly ReadPolicy[]): Finding[] {
  return expectedPolicies.flatMap(({ name, action }) => {
    const one = found.find((read) => read.name === name)
    if (one === undefined) return []
    const { policy, binding } = one
    const lost = (place: string, what: string): Finding =>
      fail(place, `${what}: ${whatIsLost[name]}`, 'kubectl apply -k your overlay')
    const place = `ValidatingAdmissionPolicy ${name}`
    const bound = `ValidatingAdmissionPolicyBinding ${name}`
    if (policy.kind === 'unread') return [unread(place, policy.reason)]
    if (policy.kind === 'missing') return [lost(place, 'does not exist')]
    if (binding.kind === 'unread') return [unread(bound, binding.reason)]
    if (binding.kind === 'missing') return [lost(bound, 'does not exist')]
    const { policyName, validationActions = [] } = binding.value.spec ?? {}
    if (policyName !== name || !validationActions.includes(action))
      return [lost(bound, `does not ${action === 'Deny' ? 'deny what' : 'warn of what'} the policy finds`)]
    return [ok(place, 'exists and is bound')]
  })
}
