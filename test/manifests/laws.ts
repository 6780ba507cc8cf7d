import type { Test } from 'tap'
import {
  annotationPrefix, initContainer, injectionLabel, sidecarContainer, standbyAnnotation, systemLabel, workloadIdentityLabel,
} from '../../shared/names.ts' // prettier-ignore
import { entryPath } from '../../webhook/paths.ts'
import type { Manifest } from './rendered.ts'

/** Of the kinds that are used; everything else lives in a namespace. */
const clusterWide = [
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]

interface Requirement {
  key: string
  operator: string
  values?: string[]
}
interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: Requirement[]
}
interface Webhook {
  name: string
  failurePolicy: string
  sideEffects: string
  timeoutSeconds: number
  reinvocationPolicy?: string
  rules: { apiGroups: string[]; operations: string[]; resources: string[] }[]
  namespaceSelector: Selector
  objectSelector?: Selector
  matchConditions?: { name: string; expression: string }[]
  clientConfig: { caBundle?: string; service: { name: string; namespace: string; path?: string } }
}
interface Rule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}

const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`
export const ofKind = (all: readonly Manifest[], ...kinds: string[]): Manifest[] =>
  all.filter(({ kind }) => kinds.includes(kind))
const webhooksOf = (configuration: Manifest): Webhook[] => configuration['webhooks'] as Webhook[]
/** The webhooks with the path that each calls, which is not in the manifests where the webhook writes it. */
const called = (configuration: Manifest): (Webhook & { path: string | undefined })[] =>
  webhooksOf(configuration).map((webhook) => ({ ...webhook, path: entryPath(configuration.kind, webhook.name) }))
const rulesOf = (role: Manifest): Rule[] => role['rules'] as Rule[]

/** What holds of the manifests, as they are written and as any overlay renders them. */
export function holdLaws(t: Test, all: readonly Manifest[], { namespace }: { namespace: string }): void {
  const ids = all.map((one) => `${nameOf(one)} in ${one.metadata.namespace ?? ''}`)
  t.strictSame(ids.toSorted(), [...new Set(ids)].sort(), 'nothing is there twice')
  for (const one of all.filter(({ kind }) => !clusterWide.includes(kind)))
    t.ok(one.metadata.namespace, `${nameOf(one)} names its namespace`)
  for (const { subjects } of ofKind(all, 'RoleBinding', 'ClusterRoleBinding') as (Manifest & { subjects: { namespace?: string }[] })[]) // prettier-ignore
    t.ok(subjects.every((subject) => subject.namespace), 'a subject names its namespace') // prettier-ignore
  holdWebhookLaws(t, all, namespace)
  holdAvailability(t, all)
  holdPermissionLaws(t, all)
}

const configurations = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']

function holdWebhookLaws(t: Test, all: readonly Manifest[], namespace: string): void {
  t.strictSame(ofKind(all, ...configurations).map(({ kind }) => kind).sort(), configurations, 'one of each') // prettier-ignore
  for (const configuration of ofKind(all, ...configurations)) {
    t.ok(configuration.metadata.name < 'azure-wi-webhook-mutating-webhook-configuration', 'it sorts before the workload identity webhook') // prettier-ignore
    for (const webhook of called(configuration)) holdWebhook(t, webhook, namespace)
  }
  const entries = ofKind(all, ...configurations).flatMap(called)
  // With cert-manager nobody writes them.
  const isWritten = ofKind(all, 'Certificate').length > 0
  t.strictSame(entries.map(({ clientConfig }) => clientConfig.service.path), entries.map(({ path }) => isWritten ? path : undefined), 'paths are fixed, or left to the webhook') // prettier-ignore
  const paths = entries.map(({ path }) => path)
  t.strictSame(paths.toSorted(), Object.keys(purposes).sort(), 'every path of the server is asked, once')
  holdHalves(t, all)
  const labels = 'akv-injector-forgotten-labels'
  const policy = ofKind(all, 'ValidatingAdmissionPolicy').find(({ metadata }) => metadata.name === labels)
  const { failurePolicy, matchConstraints } = (policy?.['spec'] ?? {}) as {
    failurePolicy: string
    matchConstraints: { namespaceSelector: Selector; resourceRules: Webhook['rules'] }
  }
  t.strictSame(askedOf(matchConstraints.resourceRules), ['CREATE pods.', ...workloads], 'the policy is about what the webhook is asked about') // prettier-ignore
  t.equal(failurePolicy, 'Ignore', 'the policy is never in the way')
  holdExclusions(t, matchConstraints.namespaceSelector, 'the policy')
  const bindings = ofKind(all, 'ValidatingAdmissionPolicyBinding') as (Manifest & { spec: object })[]
  t.strictSame(bindings.map(({ spec }) => spec), [{ policyName: labels, validationActions: ['Warn'] }, { policyName: 'akv-injector-own-registrations', validationActions: ['Deny'] }]) // prettier-ignore
  holdOwnRegistrations(t, all)
}

/** What the policy for the webhook's own writes names without kustomize rewriting it. */
function holdOwnRegistrations(t: Test, all: readonly Manifest[]): void {
  const policy = ofKind(all, 'ValidatingAdmissionPolicy').find(({ metadata }) => metadata.name === 'akv-injector-own-registrations') // prettier-ignore
  const text = JSON.stringify(policy?.['spec'])
  t.match(policy?.['spec'], { failurePolicy: 'Fail', matchConstraints: { resourceRules: [{ resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'] }] } }) // prettier-ignore
  const [account] = ofKind(all, 'ServiceAccount').filter(({ metadata }) => metadata.name.startsWith('akv-injector'))
  t.ok(text.includes(`endsWith(':${account?.metadata.name}')`), 'the policy is about the ServiceAccount')
  for (const { metadata } of ofKind(all, 'Service').filter(({ metadata }) => metadata.name.startsWith('akv-injector')))
    t.ok(text.includes(`'${metadata.name}'`), `the policy knows the Service ${metadata.name}`)
  t.notMatch(text, /akv-injector-system/, 'it holds in any namespace')
}

type Labels = Record<string, string>

/** That the standby can answer whatever has become of the pods that the first entry asks. */
function holdHalves(t: Test, all: readonly Manifest[]): void {
  const [mutating] = ofKind(all, 'MutatingWebhookConfiguration')
  const [copy, first, standby] = called(mutating!)
  t.strictSame(
    [copy, first, standby].map((one) => one?.path),
    ['/copy', '/mutate', '/standby'],
    'in this order',
  )
  const services = [first, standby].map((one) => one?.clientConfig.service.name)
  const deployments = ofKind(all, 'Deployment') as (Manifest & { spec: { selector: { matchLabels: Labels } } })[]
  const answering = services.map((name) => {
    const service = ofKind(all, 'Service').find(({ metadata }) => metadata.name === name) as Manifest & { spec: { selector: Labels } } // prettier-ignore
    return deployments.filter(({ spec }) => isIn(service.spec.selector, spec.selector.matchLabels)).map(({ metadata }) => metadata.name) // prettier-ignore
  })
  t.strictSame(answering, services.map((name) => [name]), 'each asks a Deployment of its own') // prettier-ignore
  const same = ({ rules, namespaceSelector, objectSelector }: Webhook) => ({ rules, namespaceSelector, objectSelector }) // prettier-ignore
  t.strictSame(same(standby!), same(first!), 'both are about the same pods')
  const [validating] = ofKind(all, 'ValidatingWebhookConfiguration')
  const guard = called(validating!).find(({ path }) => path === '/guard')
  t.strictSame(same(guard!), same(first!), 'and so is the guard')
  t.strictSame(same(copy!), same(first!), 'and so is the entry of copies')
  const sidecar = (of: Webhook | undefined, name: string) => of?.matchConditions?.find((one) => one.name === name)?.expression // prettier-ignore
  t.equal(`!(${sidecar(copy, 'has-a-sidecar')})`, sidecar(guard, 'has-no-sidecar'), 'what the guard takes for a sidecar, that entry sees first') // prettier-ignore
  const [status, inject, ...asking] = ['status', 'inject', 'objects', 'secret-provider-class'].map((name) => annotationPrefix + name) // prettier-ignore
  for (const [webhook, ...named] of [
    [copy, [sidecarContainer, initContainer], [inject]],
    [standby, [status, standbyAnnotation, sidecarContainer, initContainer], [inject]],
    [guard, asking, [sidecarContainer, initContainer], [inject]],
  ] as const) {
    const conditions = webhook?.matchConditions?.map(({ expression }) => expression) ?? []
    t.equal(conditions.length, named.length)
    for (const [index, names] of named.entries())
      for (const name of names) t.ok(conditions[index]?.includes(`'${name}'`), `${webhook?.name}: condition ${index + 1} is about ${name}`) // prettier-ignore
  }
}

const isIn = (some: Labels, all: Labels): boolean => Object.entries(some).every(([key, value]) => all[key] === value)

/** As in the webhook: reviews are taken for so long after SIGTERM. */
const drainSeconds = 15

/** That replicas come, go and move without a moment with none, are ready when they can answer, and may do little in their namespace. */
function holdAvailability(t: Test, all: readonly Manifest[]): void {
  const deployments = ofKind(all, 'Deployment').filter(({ metadata }) => metadata.name.startsWith('akv-injector')) as Deployment[] // prettier-ignore
  t.equal(deployments.length, 2)
  const selects = ({ matchLabels = {} }: Selector): boolean => deployments.every(({ spec }) => isIn(matchLabels, spec.selector.matchLabels)) // prettier-ignore
  for (const { metadata, spec } of deployments) {
    t.match(spec.strategy, { rollingUpdate: { maxUnavailable: 0 } }, `${metadata.name}: a new replica first`)
    // The files of the base leave it to kustomize to copy the template to the standby.
    const pod = spec.template?.spec
    if (pod === undefined) continue
    t.match(pod, {
      priorityClassName: 'system-cluster-critical',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      topologySpreadConstraints: [{ topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }],
    })
    t.ok(selects(pod.topologySpreadConstraints[0].labelSelector), 'both halves are spread together')
    t.ok(
      pod.terminationGracePeriodSeconds >= drainSeconds + 10 + 5,
      'time to drain, for the longest review, and to spare',
    )
    t.match(pod.containers[0], {
      readinessProbe: { httpGet: { scheme: 'HTTPS', path: '/readyz' } },
      livenessProbe: { httpGet: { scheme: 'HTTPS', path: '/livez' } },
      startupProbe: { httpGet: { scheme: 'HTTPS', path: '/livez' } },
      resources: { requests: { cpu: /^/, memory: /^/ }, limits: { memory: /^/ } },
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }, // prettier-ignore
    })
  }
  const [budget] = ofKind(all, 'PodDisruptionBudget') as (Manifest & { spec: { selector: Selector } })[]
  t.ok(budget && selects(budget.spec.selector), 'the budget is of both halves together')
  const [network] = ofKind(all, 'NetworkPolicy') as (Manifest & { spec: { podSelector: Selector } })[]
  t.ok(network && selects(network.spec.podSelector), 'the NetworkPolicy is about both')
  t.match(network?.spec, { policyTypes: ['Ingress', 'Egress'], ingress: [{ ports: [{ port: 'https' }] }], egress: [{ ports: [{ port: 443 }, { port: 6443 }] }, { ports: [{ port: 53 }, { port: 53 }] }] }) // prettier-ignore
  const home = ofKind(all, 'Namespace').find(({ metadata }) => metadata.name === deployments[0]?.metadata.namespace)
  t.match(home?.metadata.labels, { [systemLabel]: 'true', 'pod-security.kubernetes.io/enforce': 'restricted' }, 'its pods wait for no webhook of its own') // prettier-ignore
  // Applied again, it must not take away what has been written there.
  for (const secret of ofKind(all, 'Secret')) t.notOk('data' in secret || 'stringData' in secret)
}

interface Deployment extends Manifest {
  spec: {
    selector: { matchLabels: Labels }
    strategy: object
    template?: {
      spec: {
        terminationGracePeriodSeconds: number
        topologySpreadConstraints: [{ labelSelector: Selector }]
        containers: [object]
      }
    }
  }
}

/** Which value of the label, and what a failure does, per path of the server. */
const purposes: Record<string, { injection: string[]; failurePolicy: string; sideEffects: string }> = {
  '/copy': { injection: ['enabled'], failurePolicy: 'Fail', sideEffects: 'NoneOnDryRun' },
  '/mutate': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/standby': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/guard': { injection: ['enabled'], failurePolicy: 'Fail', sideEffects: 'NoneOnDryRun' },
  '/report': { injection: ['report'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/validate': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'None' },
  '/report/validate': { injection: ['report'], failurePolicy: 'Ignore', sideEffects: 'None' },
}

const workloads = ['deployments.apps', 'statefulsets.apps', 'daemonsets.apps', 'replicasets.apps', 'jobs.batch', 'cronjobs.batch', 'rollouts.argoproj.io', 'services.serving.knative.dev'].map((one) => `CREATE,UPDATE ${one}`) // prettier-ignore

function holdWebhook(t: Test, webhook: ReturnType<typeof called>[number], namespace: string): void {
  const { name, clientConfig, namespaceSelector, objectSelector, timeoutSeconds, path = '' } = webhook
  const purpose = purposes[path]
  t.match(webhook, { failurePolicy: purpose?.failurePolicy, sideEffects: purpose?.sideEffects }, `${name}: ${path}`)
  t.equal(clientConfig.service.namespace, namespace, `${name} calls the Service where it is`)
  t.notOk(clientConfig.caBundle, `${name} leaves the caBundle to whoever keeps it`)
  t.ok(timeoutSeconds <= 5, `${name} is answered or given up soon`)
  t.match(webhook, { admissionReviewVersions: ['v1', 'v1beta1'], matchPolicy: 'Equivalent' }, `${name}: whatever the API server speaks`) // prettier-ignore
  t.strictSame(allowed(namespaceSelector, injectionLabel), purpose?.injection, `${name}: namespaces opt in`)
  holdExclusions(t, namespaceSelector, name)
  t.strictSame(
    askedOf(webhook.rules),
    path.endsWith('/validate') ? workloads : ['CREATE pods.'],
    `${name}: what it is asked about`,
  )
  if (path.endsWith('/validate'))
    t.match(webhook.matchConditions, [{ expression: /deletionTimestamp/ }, { expression: /ownerReferences/ }, { expression: /azure\.keyvault\.injector\// }]) // prettier-ignore
  else {
    t.strictSame(allowed(objectSelector, workloadIdentityLabel), ['true'], `${name}: pods opt in`)
    t.equal(webhook.reinvocationPolicy, path === '/guard' ? undefined : path === '/copy' ? 'Never' : 'IfNeeded')
  }
}

const askedOf = (rules: Webhook['rules']): string[] =>
  rules.flatMap(({ apiGroups, operations, resources }) => resources.map((one) => `${operations.join()} ${one}.${apiGroups.join()}`)) // prettier-ignore

function allowed({ matchLabels = {}, matchExpressions = [] }: Selector = {}, label: string): string[] | undefined {
  const of = matchExpressions.find(({ key, operator }) => key === label && operator === 'In')
  return matchLabels[label] === undefined ? of?.values : [matchLabels[label]]
}

function holdExclusions(t: Test, { matchExpressions = [] }: Selector, what: string): void {
  for (const [key, value] of [
    [systemLabel, 'true'],
    ['kubernetes.io/metadata.name', 'kube-system'],
  ]) {
    const excluded = matchExpressions.some((one) => one.key === key && one.operator === 'NotIn' && one.values?.includes(value ?? '')) // prettier-ignore
    t.ok(excluded, `${what} never sees ${key}=${value}`)
  }
}

/** Where a permission cannot be limited by name: collections, creation, and its own pod, whose name is made up by the cluster. */
const unnamed: Record<string, string[]> = {
  namespaces: ['get', 'list', 'watch'],
  serviceaccounts: ['get', 'list', 'watch'],
  secretproviderclasses: ['get', 'list', 'watch'],
  limitranges: ['list', 'watch'],
  nodes: ['list'],
  events: ['create', 'patch'],
  replicasets: ['get'],
  statefulsets: ['get'],
  daemonsets: ['get'],
  jobs: ['get'],
  cronjobs: ['get'],
  pods: ['get', 'list'],
  // The emulator's, in the overlay.
  configmaps: ['create'],
}
/** Named, and no more than that. */
const named: Record<string, string[]> = {
  secrets: ['get', 'update', 'watch'],
  configmaps: ['get', 'update'],
  mutatingwebhookconfigurations: ['get', 'patch', 'watch'],
  validatingwebhookconfigurations: ['get', 'patch', 'watch'],
}

/** That an installation with a certificate of its own has each of these permissions: the end-to-end suite sees every one used. */
export function holdPermissions(t: Test, all: readonly Manifest[]): void {
  const granted = { unnamed: new Map<string, Set<string>>(), named: new Map<string, Set<string>>() }
  for (const { resources, resourceNames, verbs } of ofKind(all, 'Role', 'ClusterRole').flatMap(rulesOf)) {
    const to = resourceNames === undefined ? granted.unnamed : granted.named
    for (const resource of resources) to.set(resource, new Set([...(to.get(resource) ?? []), ...verbs]))
  }
  const sorted = (map: Map<string, Set<string>>) => Object.fromEntries([...map].map(([resource, verbs]) => [resource, [...verbs].sort()])) // prettier-ignore
  const expected = (of: Record<string, string[]>) => Object.fromEntries(Object.entries(of).filter(([resource]) => resource !== 'configmaps')) // prettier-ignore
  t.strictSame(sorted(granted.unnamed), expected(unnamed), 'permissions that no name limits')
  t.strictSame(sorted(granted.named), expected(named), 'permissions by name')
}

function holdPermissionLaws(t: Test, all: readonly Manifest[]): void {
  for (const role of ofKind(all, 'Role', 'ClusterRole')) {
    for (const { apiGroups, resources, resourceNames, verbs } of rulesOf(role)) {
      const what = `${nameOf(role)}: ${resources.join(', ')}`
      t.notOk([...apiGroups, ...resources, ...verbs].includes('*'), `${what}: no wildcard`)
      const most = resourceNames === undefined ? unnamed : named
      for (const resource of resources) {
        const beyond = verbs.filter((verb) => !most[resource]?.includes(verb))
        t.strictSame(beyond, [], `${what}: ${verbs.join(', ')}${resourceNames ? ' by name' : ''} and no more`)
      }
    }
  }
}
