import { allContainers, nodeLabels, type NodeExpression, type Pod } from './pod.ts'

/** Patterns of the values that only Windows nodes have. */
const patterns: Readonly<Record<(typeof nodeLabels)[number], RegExp>> = {
  'kubernetes.io/os': /^windows$/,
  'beta.kubernetes.io/os': /^windows$/,
  'kubernetes.azure.com/os-sku': /^Windows/i,
  'node.kubernetes.io/windows-build': /^/,
}
const labels: ReadonlyMap<string, RegExp> = new Map(Object.entries(patterns))

/** Whether a pod can run only on Windows nodes, by any of its fields. A pod that also selects Linux is not for Windows. */
export function isForWindows(pod: Pod): boolean {
  const { os, nodeSelector = {}, affinity, securityContext } = pod.spec
  if (os?.name !== undefined) return os.name === 'windows'
  if (nodeLabels.some((label) => isOs(label) && nodeSelector[label] === 'linux')) return false
  if (nodeLabels.some((label) => nodeSelector[label] !== undefined && patterns[label].test(nodeSelector[label])))
    return true
  // A node has to satisfy only one of the terms.
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  if (terms.length > 0 && terms.every((term) => term.matchExpressions?.some(isOfWindows))) return true
  if (terms.length > 0 && terms.every((term) => term.matchExpressions?.some(isOfLinux))) return false
  const contexts = [securityContext, ...allContainers(pod).map((container) => container.securityContext)]
  return contexts.some((context) => hasFields(context?.windowsOptions ?? {}))
}

function hasFields(value: object): boolean {
  for (const _field in value) return true
  return false
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
