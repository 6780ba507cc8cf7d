import { expectedPolicies, type ExpectedPolicy } from './expected.ts'
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
interface ReadPolicy extends ExpectedPolicy {
  policy: Read<Named>
  binding: Read<Binding>
}

const whatIsLost: Record<ExpectedPolicy['name'], string> = {
  'akv-injector-own-registrations': 'nothing but RBAC restricts what the webhook changes in its registrations',
  'akv-injector-forgotten-labels': 'the API server does not warn of a forgotten label',
  'akv-injector-sync-tokens': 'the program for Kubernetes Secrets writes nothing',
  'akv-injector-sync-secrets': 'the program for Kubernetes Secrets writes nothing',
}

/** @param version of the API server */
export async function checkPolicies(
  reader: Reader,
  version: string | undefined,
  expected: readonly ExpectedPolicy[] = expectedPolicies,
): Promise<Finding[]> {
  if ((minorOf(version) ?? firstWithPolicies) < firstWithPolicies)
    return [ok('ValidatingAdmissionPolicies', `Kubernetes ${version} does not have them`)]
  const found = await Promise.all(
    expected.map(async ({ name, action }): Promise<ReadPolicy> => {
      const [policy, binding] = await Promise.all([
        reader.get<Named>(`${group}/validatingadmissionpolicies/${name}`, { metadata: { name: true } }),
        reader.get<Binding>(`${group}/validatingadmissionpolicybindings/${name}`, {
          metadata: { name: true },
          spec: { policyName: true, validationActions: true },
        }),
      ])
      return { name, action, policy, binding }
    }),
  )
  return judgePolicies(found)
}

function judgePolicies(found: readonly ReadPolicy[]): Finding[] {
  return found.flatMap(({ name, action, policy, binding }) => {
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
