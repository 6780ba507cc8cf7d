import { allContainers, type NodeExpression, type Pod } from './pod.ts'

/**
 * Labels that decide a node's operating system, with the values that only Windows nodes have; without values, having the label at all.
 * {@link https://kubernetes.io/docs/reference/labels-annotations-taints/} {@link https://learn.microsoft.com/azure/aks/use-labels}
 */
const labels: ReadonlyMap<string, RegExp> = new Map([
  ['kubernetes.io/os', /^windows$/],
  ['beta.kubernetes.io/os', /^windows$/],
  ['kubernetes.azure.com/os-sku', /^Windows/i],
  ['node.kubernetes.io/windows-build', /^/],
])

/** Whether a pod can run on Windows nodes only, in whichever way it says so. A pod that says Linux as well is none. */
export function isForWindows(pod: Pod): boolean {
  const { os, nodeSelector = {}, affinity, securityContext } = pod.spec
  if (os?.name !== undefined) return os.name === 'windows'
  const selected = Object.entries(nodeSelector)
  if (selected.some(([label, value]) => isOs(label) && value === 'linux')) return false
  if (selected.some(([label, value]) => labels.get(label)?.test(value))) return true
  // A node has to satisfy any one of the terms.
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  if (terms.length > 0 && terms.every((term) => term.matchExpressions?.some(isOfWindows))) return true
  if (terms.length > 0 && terms.every((term) => term.matchExpressions?.some(isOfLinux))) return false
  const contexts = [securityContext, ...allContainers(pod).map((container) => container.securityContext)]
  return contexts.some((context) => Object.keys(context?.windowsOptions ?? {}).length > 0)
}

const isOs = (label: string): boolean => label === 'kubernetes.io/os' || label === 'beta.kubernetes.io/os'

function isOfWindows({ key, operator, values }: NodeExpression): boolean {
  const pattern = labels.get(key ?? '')
  if (pattern === undefined) return false
  const named = values ?? []
  if (operator === 'In') return named.length > 0 && named.every((value) => pattern.test(value))
  if (operator === 'NotIn') return isOs(key ?? '') && named.includes('linux')
  return operator !== 'DoesNotExist' && !isOs(key ?? '') && pattern.test('')
}

const isOfLinux = ({ key, operator, values }: NodeExpression): boolean =>
  isOs(key ?? '') &&
  ((operator === 'In' && (values ?? []).every((value) => value === 'linux')) ||
    (operator === 'NotIn' && (values ?? []).includes('windows')))
