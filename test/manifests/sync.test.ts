import { join } from 'node:path'
import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { builtInClouds } from '../../shared/clouds/clouds.ts'
import { tokenAudience } from '../../shared/names.ts'
import { tokenSeconds } from '../../sync/cluster.ts'
import {
  classGroup,
  csiManagedLabel,
  program,
  secretPolicy,
  selfTestSecret,
  syncAdoptAnnotation,
  syncedLabel,
  syncRetainAnnotation,
  tokenPolicy,
} from '../../sync/names.ts'
import { secretTypes } from '../../sync/secret-types.ts'
import { ofKind, rulesOf } from './manifest-fields.ts'
import { manifests, render, renderer, written, type Manifest } from './rendered.ts'
import { leaveOut } from '../support/needs.ts'

const component = written(join(manifests, 'components/sync'))
const named = (kind: string, name: string): Manifest =>
  ofKind(component, kind).find(({ metadata }) => metadata.name === name) as Manifest

interface Policy {
  failurePolicy: string
  matchConstraints: { resourceRules: { operations: string[]; resources: string[] }[] }
  matchConditions: { expression: string }[]
  validations: { expression: string; message: string }[]
}
const policy = (name: string): Policy => named('ValidatingAdmissionPolicy', name)['spec'] as Policy
/** The texts in quotes of an expression that is a list. */
const listIn = (text = ''): string[] => Array.from(text.matchAll(/'([^']+)'/g), ([, item = '']) => item)

void t.test(
  'sync manifests: the program has no right to Secrets or tokens outside of Roles, and none without names',
  async (t) => {
    const [everywhere] = ofKind(component, 'ClusterRole')
    t.strictSame(
      rulesOf(everywhere!).map(({ resources, verbs }) => [...resources, ...verbs]),
      [
        ['secretproviderclasses', 'get', 'list', 'watch'],
        ['namespaces', 'list', 'watch'],
        ['events', 'create', 'patch'],
      ],
    )
    t.equal(ofKind(component, 'ClusterRole').length, 1)
    t.match(ofKind(component, 'Role').map(rulesOf), [
      [
        { resources: ['serviceaccounts/token'], resourceNames: [program], verbs: ['create'] },
        { resources: ['secrets'], resourceNames: [selfTestSecret], verbs: ['create', 'patch'] },
      ],
    ])
  },
)

void t.test('sync manifests: both policies match the program, fail closed and are bound', async (t) => {
  for (const [name, resource] of [
    [tokenPolicy, 'serviceaccounts/token'],
    [secretPolicy, 'secrets'],
  ] as const) {
    const { failurePolicy, matchConstraints, matchConditions, validations } = policy(name)
    t.equal(failurePolicy, 'Fail')
    t.match(matchConstraints.resourceRules, [{ resources: [resource] }])
    t.strictSame(
      matchConditions.map(({ expression }) => expression),
      [`request.userInfo.username.endsWith(':${program}')`],
    )
    // The self-test looks for the name in the answer.
    for (const { message } of validations) t.ok(message.startsWith(name), message)
    t.match(named('ValidatingAdmissionPolicyBinding', name)['spec'], { policyName: name, validationActions: ['Deny'] })
  }
  t.equal(ofKind(component, 'ServiceAccount')[0]?.metadata.name, program)
})

void t.test('sync manifests: the policies have the types, names and audiences of the program', async (t) => {
  const { matchConstraints, validations } = policy(secretPolicy)
  const [deletion, types, label, old, owner] = validations.map(({ expression }) => expression)
  t.match(matchConstraints.resourceRules, [{ operations: ['CREATE', 'UPDATE', 'DELETE'] }])
  t.equal(deletion, "request.operation != 'DELETE'")
  t.strictSame(listIn(types), Object.keys(secretTypes))
  t.match(label, `'${syncedLabel}'`)
  for (const name of [syncedLabel, csiManagedLabel, syncAdoptAnnotation]) t.match(old, `'${name}'`)
  for (const name of ['SecretProviderClass', `${classGroup}/`, syncRetainAnnotation]) t.match(owner, `'${name}'`)
  const [audiences, seconds] = policy(tokenPolicy).validations.map(({ expression }) => expression)
  const wanted = Object.values(builtInClouds).map((cloud) => cloud.tokenAudience ?? tokenAudience)
  for (const audience of wanted) t.ok(listIn(audiences).includes(audience), audience)
  t.match(seconds, `<= ${tokenSeconds}`)
})

void t.test('sync manifests: the program runs restricted, alone, and in the same image', async (t) => {
  const [deployment] = ofKind(component, 'Deployment') as (Manifest & {
    spec: { template: { spec: { containers: object[] } } }
  })[]
  t.match(deployment?.['spec'], {
    replicas: 1,
    strategy: { type: 'Recreate' },
    template: {
      spec: {
        serviceAccountName: program,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            image: `akv-injector:${packageJson.version}`,
            readinessProbe: { httpGet: { path: '/readyz' } },
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    },
  })
  for (const one of component.filter(({ kind }) =>
    ['Deployment', 'Role', 'RoleBinding', 'ServiceAccount', 'NetworkPolicy'].includes(kind),
  ))
    t.equal(one.metadata.namespace, 'akv-injector-system')
})

void t.test('sync manifests: nothing of it is in the base', async (t) => {
  t.notMatch(JSON.stringify(written(join(manifests, 'base'))), program)
})

if (renderer === undefined) leaveOut(t, 'rendering: neither kubectl nor kustomize is on this machine')
else
  void t.test('sync manifests: the component renders, and so does the kind of the classes', async (t) => {
    t.strictSame(
      render(join(manifests, 'components/sync'))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        .toSorted(),
      component.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted(),
    )
  })
