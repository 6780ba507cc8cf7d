import { judgeAvailability } from './availability.ts'
import { findingsOf, type Finding } from './finding.ts'
import { componentLabel, components, type Component, type Installation } from './installation.ts'
import { podFields, type Pod } from './objects.ts'
import type { Reader } from './reader.ts'

const findings = findingsOf('halves')

/** The name that a Deployment has in the manifests. */
const nameOf: Record<Component, string> = { webhook: 'akv-injector', standby: 'akv-injector-standby' }
const consequence: Record<Component, string> = {
  webhook: 'the standby injects pods meanwhile',
  standby: 'the webhook injects pods meanwhile, and copies of injected pods are rejected',
}

export async function checkHalves(reader: Reader, installation: Installation): Promise<Finding[]> {
  const { namespace } = installation
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?labelSelector=${encodeURIComponent('app.kubernetes.io/name=akv-injector')}`
  const pods = await reader.list<Pod>(path, podFields)
  return judgeHalves(installation, pods.kind === 'found' ? pods.value : [])
}

/** @param pods of both halves; they only serve to say why a half is not available */
export function judgeHalves({ namespace, halves }: Installation, pods: readonly Pod[]): Finding[] {
  return components.map((component) => {
    const deployment = halves[component]
    const place = `Deployment ${namespace}/${nameOf[component]}`
    if (deployment === undefined) return findings.fail(place, 'does not exist', 'kubectl apply -k your overlay')
    const isOfHalf = ({ metadata }: Pod): boolean => metadata.labels?.[componentLabel] === component
    return judgeAvailability(findings, {
      ...{ namespace, deployment, consequence: consequence[component], pods: pods.filter(isOfHalf) },
      selector: `${componentLabel}=${component}`,
    })
  })
}
