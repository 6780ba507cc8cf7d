import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { apply, kubectl, tryKubectl } from './support/kubectl.ts'
import { eventually } from './support/eventually.ts'

const segment = randomBytes(16).toString('hex')
const webhook = (namespace: string, service = 'akv-injector') => ({
  name: `${service}.e2e.example`,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  failurePolicy: 'Ignore',
  clientConfig: { service: { name: service, namespace } },
  // For a kind that does not exist, so it is never called.
  rules: [{ apiGroups: ['e2e.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] }],
})
type Kind = 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration'

/**
 * A registration with one entry of the webhook and one of another webhook, which the ServiceAccount of `namespace` may
 * write.
 */
async function register(t: Test, kind: Kind, namespace: string) {
  const name = `e2e-${randomBytes(4).toString('hex')}`
  const metadata = { name, labels: { 'akv-injector-e2e': 'true' } }
  const user = `system:serviceaccount:${namespace}:akv-injector`
  const rules = [
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: [`${kind.toLowerCase()}s`],
      resourceNames: [name],
      verbs: ['get', 'patch', 'update', 'delete'],
    },
  ]
  const subjects = [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }]
  const all = [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata,
      webhooks: [webhook(namespace), webhook(namespace, 'other')],
    },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects,
    },
  ]
  t.teardown(() => Promise.all(all.map(({ kind }) => kubectl(['delete', kind, name, '--ignore-not-found']))))
  await apply(...all)
  const patch = (type: string, body: unknown) =>
    tryKubectl(['patch', kind, name, `--as=${user}`, `--type=${type}`, '-p', JSON.stringify(body)])
  return { patch, remove: () => tryKubectl(['delete', kind, name, `--as=${user}`]) }
}

const entry = (clientConfig: object, name = 'akv-injector') => ({
  webhooks: [{ name: `${name}.e2e.example`, clientConfig }],
})
const operation = (op: string, path: string, value?: unknown) => [{ op, path, value }]
const allowed = { caBundle: 'QUtW', service: { path: `/${segment}/mutate` } }

/** Changes that a compromised or defective webhook could make. */
const denied: Record<string, [type: string, body: unknown, message: RegExp]> = {
  'the caBundle of a foreign entry': [
    'strategic',
    entry({ caBundle: 'QUtW' }, 'other'),
    /its own entries, and nothing else/,
  ],
  'the path of a foreign entry': [
    'strategic',
    entry({ service: { path: '/x' } }, 'other'),
    /its own entries, and nothing else/,
  ],
  'the Service': ['strategic', entry({ service: { name: 'evil' } }), /nothing else/],
  'the namespace of the Service': ['strategic', entry({ service: { namespace: 'default' } }), /nothing else/],
  'the port of the Service': ['strategic', entry({ service: { port: 8443 } }), /nothing else/],
  'a URL': [
    'json',
    [
      ...operation('remove', '/webhooks/0/clientConfig/service'),
      ...operation('add', '/webhooks/0/clientConfig/url', 'https://evil.example/'),
    ],
    /nothing else/,
  ],
  'the failure policy': ['json', operation('replace', '/webhooks/0/failurePolicy', 'Fail'), /nothing else/],
  'the rules': ['json', operation('replace', '/webhooks/0/rules/0/resources', ['*']), /nothing else/],
  'the selector of namespaces': [
    'json',
    operation('add', '/webhooks/0/namespaceSelector', { matchLabels: { a: 'b' } }),
    /nothing else/,
  ],
  'the match conditions': [
    'json',
    operation('add', '/webhooks/0/matchConditions', [{ name: 'x', expression: 'false' }]),
    /nothing else/,
  ],
  'an entry more': [
    'json',
    operation('add', '/webhooks/-', { ...webhook('default'), name: 'evil.e2e.example' }),
    /neither add nor remove/,
  ],
  'an entry less': ['json', operation('remove', '/webhooks/0'), /neither add nor remove/],
  labels: ['merge', { metadata: { labels: { a: 'b' } } }, /the metadata/],
  annotations: ['merge', { metadata: { annotations: { 'cert-manager.io/inject-ca-from': 'x/y' } } }, /the metadata/],
  owners: [
    'merge',
    { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' }] } },
    /the metadata/,
  ],
}

for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const) {
  for (const namespace of ['akv-injector-system', 'platform-secrets']) {
    void t.test(
      `own registrations, ${kind}: the webhook in ${namespace} may write only caBundle and path of its own entries`,
      async (t) => {
        const { patch, remove } = await register(t, kind, namespace)
        await eventually('the role holds', async () => (await patch('strategic', entry(allowed))).code === 0)
        for (const [what, [type, body, message]] of Object.entries(denied)) {
          const { code, stderr } = await patch(type, body)
          t.not(code, 0, what)
          t.match(stderr, message, what)
        }
        t.match((await remove()).stderr, /neither create nor delete/)
        const again = await patch('strategic', entry({ ...allowed, service: { path: `/${'0'.repeat(32)}/mutate` } }))
        t.equal(again.code, 0, again.stderr)
      },
    )
  }
}
