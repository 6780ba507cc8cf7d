import type { Limits } from '../../../shared/kubernetes/limit-range.ts'
import type { Container, Pod, Volume, VolumeMount } from '../pod.ts'
import { quantityOf } from '../../../shared/kubernetes/quantity.ts'
import { rewrittenProbe } from './mesh-probes.ts'
import { isFields, same } from './same.ts'

/** Determines which additions to an injected container are expected. */
export interface Expected {
  pod: Pod
  /** The namespace's. */
  limitRanges: readonly Limits[]
  /** Whether the workload identity webhook sets the token proxy's variables. */
  identityBinding: boolean
}

/** The API server's defaults for fields that the webhook omits. {@link https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go} */
const probeDefaults = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }
const containerDefaults = {
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  securityContext: { procMount: 'Default' },
  startupProbe: probeDefaults,
  livenessProbe: probeDefaults,
}
const volumeDefaults = {
  projected: { defaultMode: 0o644 },
  downwardAPI: { defaultMode: 0o644, items: { fieldRef: { apiVersion: 'v1' } } },
}

/** {@link https://azure.github.io/azure-workload-identity/docs/topics/mutating-admission-webhook.html} */
const identityVariables = ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE', 'AZURE_AUTHORITY_HOST']
export const bindingVariables = [
  'AZURE_KUBERNETES_TOKEN_PROXY',
  'AZURE_KUBERNETES_SNI_NAME',
  'AZURE_KUBERNETES_CA_FILE',
  'AZURE_KUBERNETES_CA_DATA',
]
const identityFolder = '/var/run/secrets/azure/'

/**
 * Returns the volume as the pod has it if it differs from the wanted one only by the API server's defaults, else the wanted one.
 */
export function mergeVolume(has: Volume, wants: Volume): Volume {
  const expected = withDefaults(wants, has, volumeDefaults) as Volume
  const size = (has.emptyDir as { sizeLimit?: string } | undefined)?.sizeLimit
  const { emptyDir } = expected as { emptyDir?: { sizeLimit?: string } }
  const sized =
    emptyDir !== undefined && isSameQuantity(size, emptyDir.sizeLimit)
      ? { ...expected, emptyDir: { ...emptyDir, sizeLimit: size } }
      : expected
  return same(has, sized) ? has : wants
}

/**
 * Returns the wanted container with what the API server and known injectors add to it, and the names of all other additions. It is the same
 * object as the pod's container if nothing differs.
 */
export function mergeContainer(
  has: Container,
  wants: Container,
  expected: Expected,
): { container: Container; removed: string[] } {
  const { env = [], volumeMounts = [] } = wants
  const [variables, otherVariables] = split(has.env, env, (one) => isIdentityVariable(one, expected))
  const [mounts, otherMounts] = split(has.volumeMounts, volumeMounts, (one) => isIdentityMount(one, expected.pod))
  const container = {
    ...(withDefaults(wants, has, containerDefaults) as Container),
    ...probesOf(has, wants, expected.pod),
    ...(env.length + variables.length > 0 ? { env: [...env, ...variables] } : {}),
    volumeMounts: [...volumeMounts, ...mounts],
    resources: resourcesOf(has, wants, expected.limitRanges),
    ...pullPolicyOf(has, wants),
    ...resizePolicyOf(has),
    ...securityContextOf(has, wants),
  }
  const removed = [
    ...otherVariables.map(({ name }) => `variable ${name}`),
    ...otherMounts.map(({ mountPath }) => `mount ${mountPath}`),
    ...foreignResources(has, container),
    ...Object.entries(has).flatMap(([field, value]) => (value === undefined || field in container ? [] : [field])),
  ]
  return { container: same(has, container) ? has : container, removed }
}

/** Splits the added items of a list into those that are expected and the rest. */
function split<T extends { name: string; mountPath?: string }>(
  has: readonly T[] = [],
  own: readonly T[],
  isExpected: (one: T) => boolean,
): [expected: T[], others: T[]] {
  const key = ({ name, mountPath }: T): string => JSON.stringify([name, mountPath ?? null])
  const ours = new Set(own.map(key))
  const added = has.filter((one) => !ours.has(key(one)))
  return [added.filter(isExpected), added.filter((one) => !isExpected(one))]
}

type Variable = NonNullable<Container['env']>[number]

const isIdentityVariable = ({ name, value, ...rest }: Variable, { identityBinding }: Expected): boolean =>
  value !== undefined &&
  Object.keys(rest).length === 0 &&
  [...identityVariables, ...(identityBinding ? bindingVariables : [])].includes(name)

/** Whether a mount is a token or certificate that the workload identity webhook adds. */
function isIdentityMount({ name, mountPath, readOnly, ...rest }: VolumeMount, { spec }: Pod): boolean {
  const volume = spec.volumes?.find((one) => one.name === name)
  const isMadeUp = volume?.projected !== undefined || volume?.configMap !== undefined
  return isMadeUp && readOnly === true && Object.keys(rest).length === 0 && mountPath.startsWith(identityFolder)
}

function probesOf(has: Container, wants: Container, pod: Pod) {
  const kept: Pick<Container, 'startupProbe' | 'livenessProbe'> = {}
  for (const name of ['startupProbe', 'livenessProbe'] as const) {
    const rewritten = wants[name] && rewrittenProbe(name, wants, pod)
    const probe = rewritten
      ?.map((one) => withDefaults(one, has[name], probeDefaults))
      .find((one) => same(has[name], one))
    if (isFields(probe)) kept[name] = probe
  }
  return kept
}

type Quantities = Record<string, string | number>

/**
 * A request may also equal the limit: that is the API server's default, and the webhook's in a pod that was Guaranteed until another webhook
 * added a container.
 */
function resourcesOf(has: Container, wants: Container, ranges: readonly Limits[]): NonNullable<Container['resources']> {
  const limits = quantitiesOf(has.resources?.limits, wants.resources?.limits, (kind, quantity, own) =>
    (own === undefined ? defaultsOf(ranges, 'default', kind) : [own]).some((one) => isSameQuantity(quantity, one)),
  )
  const requests = quantitiesOf(has.resources?.requests, wants.resources?.requests, (kind, quantity, own) =>
    [...(own === undefined ? defaultsOf(ranges, 'defaultRequest', kind) : [own]), limits[kind]].some((one) =>
      isSameQuantity(quantity, one),
    ),
  )
  return { requests, ...(Object.keys(limits).length > 0 ? { limits } : {}) }
}

function quantitiesOf(
  has: Quantities = {},
  wants: Quantities = {},
  isExpected: (kind: string, quantity: string | number, own: string | number | undefined) => boolean,
): Quantities {
  const own = (kind: string) => (Object.hasOwn(wants, kind) ? wants[kind] : undefined)
  const expected = Object.entries(has).filter(([kind, quantity]) => isExpected(kind, quantity, own(kind)))
  return { ...wants, ...Object.fromEntries(expected) }
}

/** The defaults of the namespace's LimitRanges for a resource kind; if there are several, any of them may be applied. */
const defaultsOf = (ranges: readonly Limits[], of: 'default' | 'defaultRequest', kind: string) =>
  ranges.filter(({ type }) => type === 'Container').map((range) => range[of]?.[kind])

/** Compares quantities by value, because the API server rewrites them. */
const isSameQuantity = (a: string | number | undefined, b: string | number | undefined): boolean =>
  a !== undefined && b !== undefined && (a === b || quantityOf(a) === quantityOf(b))

function foreignResources({ resources = {} }: Container, { resources: kept = {} }: Container): string[] {
  return (['requests', 'limits'] as const).flatMap((part) =>
    Object.entries(resources[part] ?? {})
      .filter(([kind, quantity]) => (kept[part] as Quantities | undefined)?.[kind] !== quantity)
      .map(([kind]) => `${part}.${kind}`),
  )
}

/** Keeps the API server's default and the policy that the admission plugin AlwaysPullImages sets. */
function pullPolicyOf(has: Container, wants: Container): { imagePullPolicy?: string } {
  const [policy, own] = [has, wants].map((one) => (one as { imagePullPolicy?: string }).imagePullPolicy)
  return policy === 'Always' || (own === undefined && policy === 'IfNotPresent') ? { imagePullPolicy: policy } : {}
}

/** Keeps the API server's default, which exists since Kubernetes 1.33. */
function resizePolicyOf(has: Container): { resizePolicy?: unknown[] } {
  const { resizePolicy } = has as { resizePolicy?: unknown }
  const isByDefault = (one: unknown): boolean =>
    ['cpu', 'memory'].some((resourceName) => same(one, { resourceName, restartPolicy: 'NotRequired' }))
  return Array.isArray(resizePolicy) && resizePolicy.every(isByDefault) ? { resizePolicy } : {}
}

/** How capabilities are named, such as MKNOD. {@link https://man7.org/linux/man-pages/man7/capabilities.7.html} */
const capabilityName = /^[A-Z][A-Z_]{1,30}$/

/** Keeps further dropped capabilities, which OpenShift adds. */
function securityContextOf(has: Container, wants: Container): Pick<Container, 'securityContext'> {
  const { securityContext } = withDefaults(wants, has, containerDefaults) as Container
  const drop = has.securityContext?.capabilities?.drop
  const isNamed = Array.isArray(drop) && drop.every((one) => typeof one === 'string' && capabilityName.test(one))
  const dropsOurs = securityContext?.capabilities?.drop?.every((one) => drop?.includes(one)) ?? false
  return isNamed && dropsOurs
    ? { securityContext: { ...securityContext, capabilities: { ...securityContext?.capabilities, drop } } }
    : {}
}

/** Returns a wanted value with the defaults that the API server filled in; the defaults of a list apply to each item. */
function withDefaults(wants: unknown, has: unknown, defaults: unknown): unknown {
  if (Array.isArray(wants) && Array.isArray(has))
    return wants.map((item, index) => withDefaults(item, has[index], defaults))
  if (!isFields(wants) || !isFields(has) || !isFields(defaults)) return wants
  const own = Object.entries(wants).map(([field, value]) => [field, withDefaults(value, has[field], defaults[field])])
  const added = Object.entries(defaults).filter(([field, value]) => wants[field] === undefined && has[field] === value)
  return Object.fromEntries([...own, ...added])
}
