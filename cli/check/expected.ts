/** What `manifests/base` and the components install, as the checks expect it. A test compares this with the manifests. */
import { classGroup, program, secretPolicy, selfTestSecret, tokenPolicy } from '../../sync/names.ts'

/** Entries of the webhook configurations by the first label of their names. */
export interface ExpectedEntry {
  label: string
  failurePolicy: 'Fail' | 'Ignore'
  /** Which of the installation's Services it calls: 0 for the webhook, 1 for the standby. */
  service: 0 | 1
}

export const expectedEntries: Readonly<
  Record<'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration', readonly ExpectedEntry[]>
> = {
  MutatingWebhookConfiguration: [
    { label: 'copy', failurePolicy: 'Ignore', service: 1 },
    { label: 'copy-guard', failurePolicy: 'Fail', service: 1 },
    { label: 'inject', failurePolicy: 'Ignore', service: 0 },
    { label: 'standby', failurePolicy: 'Ignore', service: 1 },
    { label: 'report', failurePolicy: 'Ignore', service: 0 },
    { label: 'env', failurePolicy: 'Ignore', service: 0 },
    { label: 'env-standby', failurePolicy: 'Ignore', service: 1 },
  ],
  ValidatingWebhookConfiguration: [
    { label: 'guard', failurePolicy: 'Fail', service: 1 },
    { label: 'validate', failurePolicy: 'Ignore', service: 0 },
    { label: 'report', failurePolicy: 'Ignore', service: 0 },
  ],
}

/** A permission of the webhook's ServiceAccount. */
export interface Permission {
  verb: string
  group: string
  resource: string
  /** The scope of a Role; `own` is the installation's namespace. */
  scope: 'cluster' | 'own'
  /** Limits the permission to objects of the installation. */
  named?: 'certificates' | 'registrations'
}

const of = (scope: Permission['scope'], group: string, resources: string[], verbs: string[]): Permission[] =>
  resources.flatMap((resource) => verbs.map((verb) => ({ scope, group, resource, verb })))

export const expectedPermissions: readonly Permission[] = [
  ...of('cluster', '', ['namespaces', 'serviceaccounts'], ['get', 'list', 'watch']),
  ...of('cluster', '', ['limitranges'], ['list', 'watch']),
  ...of('cluster', '', ['pods'], ['list']),
  ...of('cluster', '', ['events'], ['create', 'patch']),
  ...of('cluster', 'apps', ['replicasets', 'statefulsets', 'daemonsets'], ['get']),
  ...of('cluster', 'batch', ['jobs', 'cronjobs'], ['get']),
  ...of('cluster', 'secrets-store.csi.x-k8s.io', ['secretproviderclasses'], ['get', 'list', 'watch']),
  ...of('cluster', '', ['nodes'], ['list']),
  ...of('own', '', ['pods'], ['get']),
  ...of('own', '', ['secrets'], ['get', 'watch', 'update']).map((one) => ({ ...one, named: 'certificates' as const })),
  ...of(
    'cluster',
    'admissionregistration.k8s.io',
    ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
    ['get', 'watch', 'patch'],
  ).map((one) => ({ ...one, named: 'registrations' as const })),
]

/** What the program for Kubernetes Secrets may do, apart from the Roles of its classes. */
export const expectedSyncPermissions: readonly (Omit<Permission, 'named'> & { name?: string })[] = [
  ...of('cluster', classGroup, ['secretproviderclasses'], ['get', 'list', 'watch']),
  ...of('cluster', '', ['namespaces'], ['list', 'watch']),
  ...of('cluster', '', ['events'], ['create', 'patch']),
  ...of('own', '', ['serviceaccounts/token'], ['create']).map((one) => ({ ...one, name: program })),
  ...of('own', '', ['secrets'], ['create', 'patch']).map((one) => ({ ...one, name: selfTestSecret })),
]

/** A ValidatingAdmissionPolicy with a binding of the same name, and what the binding does. */
export interface ExpectedPolicy {
  name: (typeof expectedPolicies | typeof expectedSyncPolicies)[number]['name']
  action: 'Deny' | 'Warn'
}

export const expectedPolicies = [
  { name: 'akv-injector-own-registrations', action: 'Deny' },
  { name: 'akv-injector-forgotten-labels', action: 'Warn' },
] as const

export const expectedSyncPolicies = [
  { name: tokenPolicy, action: 'Deny' },
  { name: secretPolicy, action: 'Deny' },
] as const
