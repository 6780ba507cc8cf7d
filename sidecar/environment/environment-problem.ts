import { checkedPrefix } from '../../shared/variables.ts'

const mostNamed = 20

/** Why the pod's containers must not start: the names of variables that the kubelet left empty. The sidecar never writes an empty one. */
export function environmentProblem(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const empty = Object.keys(environment)
    .filter((name) => name.startsWith(checkedPrefix) && environment[name] === '')
    .map((name) => name.slice(checkedPrefix.length))
    .sort()
  if (empty.length === 0) return undefined
  const more = empty.length - mostNamed
  const names = `${empty.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return `the kubelet of this node set the environment variable${empty.length > 1 ? 's' : ''} ${names} empty, so it is older than Kubernetes 1.35 or has the feature EnvFiles turned off: upgrade the node, keep the pod off such nodes, or use a template or bundle instead of the annotation env`
}
