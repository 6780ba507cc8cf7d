import type { Test } from 'tap'
import { injectionLabel, systemLabel, workloadIdentityLabel } from '../../shared/names.ts'
import { isGuard, type Purpose } from '../../webhook/review/decision.ts'
import { called, ofKind, type Selector, type Webhook } from './manifest-fields.ts'
import { checkStandby } from './standby-invariants.ts'
import type { Manifest } from './rendered.ts'

const configurations = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']

export function checkWebhooks(t: Test, all: readonly Manifest[], namespace: string): void {
  t.strictSame(
    ofKind(all, ...configurations)
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      .sort(),
    [
      'MutatingWebhookConfiguration akv-injector',
      'MutatingWebhookConfiguration zz-akv-injector-env',
      'ValidatingWebhookConfiguration akv-injector',
    ],
  )
  for (const configuration of ofKind(all, ...configurations)) {
    const { name } = configuration.metadata
    t.equal(
      name < 'azure-wi-webhook-mutating-webhook-configuration',
      name === 'akv-injector',
      `${name}: variables are added after the workload identity webhook, everything else before it`,
    )
    for (const webhook of called(configuration)) checkWebhook(t, webhook, namespace)
  }
  const entries = ofKind(all, ...configurations).flatMap(called)
  // With cert-manager, the webhook does not write the paths.
  const isWritten = ofKind(all, 'Certificate').length > 0
  t.strictSame(
    entries.map(({ clientConfig }) => clientConfig.service.path),
    entries.map(({ path }) => (isWritten ? path : undefined)),
    'with cert-manager the paths are fixed; otherwise the webhook writes them',
  )
  const paths = entries.map(({ path }) => path)
  t.strictSame(paths.toSorted(), Object.keys(purposes).sort(), 'each path of the server is called by exactly one entry')
  checkStandby(t, all)
  const labels = 'akv-injector-forgotten-labels'
  const policy = ofKind(all, 'ValidatingAdmissionPolicy').find(({ metadata }) => metadata.name === labels)
  const { failurePolicy, matchConstraints } = (policy?.['spec'] ?? {}) as {
    failurePolicy: string
    matchConstraints: { namespaceSelector: Selector; resourceRules: Webhook['rules'] }
  }
  t.strictSame(
    askedOf(matchConstraints.resourceRules),
    ['CREATE pods.', ...workloads],
    'the policy matches the same requests as the webhook',
  )
  t.equal(failurePolicy, 'Ignore', 'a failure of the policy blocks no request')
  checkExclusions(t, matchConstraints.namespaceSelector, 'the policy')
  const bindings = ofKind(all, 'ValidatingAdmissionPolicyBinding') as (Manifest & { spec: object })[]
  t.strictSame(
    bindings.map(({ spec }) => spec),
    [
      { policyName: labels, validationActions: ['Warn'] },
      { policyName: 'akv-injector-own-registrations', validationActions: ['Deny'] },
    ],
  )
  checkOwnRegistrations(t, all)
}

/** Checks the names in the policy for the webhook's own writes, which kustomize does not rewrite. */
function checkOwnRegistrations(t: Test, all: readonly Manifest[]): void {
  const policy = ofKind(all, 'ValidatingAdmissionPolicy').find(
    ({ metadata }) => metadata.name === 'akv-injector-own-registrations',
  )
  const text = JSON.stringify(policy?.['spec'])
  t.match(policy?.['spec'], {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [{ resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'] }],
    },
  })
  const [account] = ofKind(all, 'ServiceAccount').filter(({ metadata }) => metadata.name.startsWith('akv-injector'))
  t.ok(text.includes(`endsWith(':${account?.metadata.name}')`), 'the policy names the ServiceAccount')
  for (const { metadata } of ofKind(all, 'Service').filter(({ metadata }) => metadata.name.startsWith('akv-injector')))
    t.ok(text.includes(`'${metadata.name}'`), `the policy names the Service ${metadata.name}`)
  t.notMatch(text, /akv-injector-system/, 'the policy names no namespace')
}

/** By path: the value of the namespace label, and what a failure does. */
const purposes: Record<string, { injection: string[]; failurePolicy: string; sideEffects: string }> = {
  '/copy': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/copy-guard': { injection: ['enabled'], failurePolicy: 'Fail', sideEffects: 'NoneOnDryRun' },
  '/mutate': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/standby': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/env': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/env-standby': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/guard': { injection: ['enabled'], failurePolicy: 'Fail', sideEffects: 'NoneOnDryRun' },
  '/report': { injection: ['report'], failurePolicy: 'Ignore', sideEffects: 'NoneOnDryRun' },
  '/validate': { injection: ['enabled'], failurePolicy: 'Ignore', sideEffects: 'None' },
  '/report/validate': { injection: ['report'], failurePolicy: 'Ignore', sideEffects: 'None' },
}

const workloads = [
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'replicasets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'rollouts.argoproj.io',
  'services.serving.knative.dev',
].map((one) => `CREATE,UPDATE ${one}`)

function checkWebhook(t: Test, webhook: ReturnType<typeof called>[number], namespace: string): void {
  const { name, clientConfig, namespaceSelector, objectSelector, timeoutSeconds, path = '' } = webhook
  const purpose = purposes[path]
  t.match(webhook, { failurePolicy: purpose?.failurePolicy, sideEffects: purpose?.sideEffects }, `${name}: ${path}`)
  t.equal(
    isGuard(path.slice(1) as Purpose),
    webhook.failurePolicy === 'Fail',
    `${name}: an entry whose URL a failure shows only allows or denies`,
  )
  t.equal(clientConfig.service.namespace, namespace, `${name} calls the Service where it is`)
  t.notOk(clientConfig.caBundle, `${name} leaves the caBundle to the webhook or to cert-manager`)
  t.ok(timeoutSeconds <= 5, `${name} times out within 5 s`)
  t.match(
    webhook,
    { admissionReviewVersions: ['v1', 'v1beta1'], matchPolicy: 'Equivalent' },
    `${name}: every review version of the API server`,
  )
  t.strictSame(allowed(namespaceSelector, injectionLabel), purpose?.injection, `${name}: namespaces opt in`)
  checkExclusions(t, namespaceSelector, name)
  t.strictSame(
    askedOf(webhook.rules),
    path.endsWith('/validate') ? workloads : ['CREATE pods.'],
    `${name}: the requests that it matches`,
  )
  if (path.endsWith('/validate'))
    t.match(webhook.matchConditions, [
      { expression: /deletionTimestamp/ },
      { expression: /ownerReferences/ },
      { expression: /azure\.keyvault\.injector\// },
    ])
  else {
    t.strictSame(allowed(objectSelector, workloadIdentityLabel), ['true'], `${name}: pods opt in`)
    t.equal(webhook.reinvocationPolicy, path === '/guard' ? undefined : path.startsWith('/copy') ? 'Never' : 'IfNeeded')
  }
}

const askedOf = (rules: Webhook['rules']): string[] =>
  rules.flatMap(({ apiGroups, operations, resources }) =>
    resources.map((one) => `${operations.join()} ${one}.${apiGroups.join()}`),
  )

function allowed({ matchLabels = {}, matchExpressions = [] }: Selector = {}, label: string): string[] | undefined {
  const of = matchExpressions.find(({ key, operator }) => key === label && operator === 'In')
  return matchLabels[label] === undefined ? of?.values : [matchLabels[label]]
}

function checkExclusions(t: Test, { matchExpressions = [] }: Selector, what: string): void {
  for (const [key, value] of [
    [systemLabel, 'true'],
    ['kubernetes.io/metadata.name', 'kube-system'],
  ]) {
    const excluded = matchExpressions.some(
      (one) => one.key === key && one.operator === 'NotIn' && one.values?.includes(value ?? ''),
    )
    t.ok(excluded, `${what} excludes ${key}=${value}`)
  }
}
