import t, { type Test } from 'tap'
import type { Manifest } from '../../manifests/rendered.ts'
import { canary, createCluster, now, runCheck, wrong, type FakeCluster, type Outcome } from './cluster.ts'

const asks = { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': 'db-password' }
const opted = { 'azure.workload.identity/use': 'true' }
const running = { name: 'akv-injector', ready: true, restartCount: 0, state: { running: {} } }
const env = [{ name: 'PASSWORD', value: canary }]

interface PodParts {
  labels?: Record<string, string>
  annotations?: Record<string, string>
  created?: string
  /** The statuses of init containers; without any, the pod has no sidecar. */
  sidecar?: object[]
  containerStatuses?: object[]
  conditions?: object[]
}

const podOf = ({
  labels = opted,
  annotations = asks,
  created = '2026-06-01T00:00:00Z',
  sidecar,
  containerStatuses = [],
  conditions = [],
}: PodParts): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'shop', labels, annotations, ...{ creationTimestamp: created } },
  spec: {
    initContainers:
      sidecar === undefined
        ? []
        : [
            { name: 'akv-injector', image: 'akv-injector:0.1.0', env },
            { name: 'akv-injector-env', image: 'akv-injector:0.1.0' },
          ],
    containers: [{ name: 'app', image: 'web:1', env }],
  },
  status: { phase: 'Pending', conditions, initContainerStatuses: sidecar ?? [], containerStatuses },
})

const logPath = '/api/v1/namespaces/shop/pods/web-0/log'
const ago = (minutes: number): string => new Date(now - minutes * 60_000).toISOString()
const warned = (event: string, msg: string, more: object = {}) => ({ level: 'warn', time: ago(1), event, msg, ...more })
const info = (event: string, more: object = {}) => ({ level: 'info', time: ago(0), event, msg: 'well', ...more })
const logs =
  (...lines: object[]) =>
  (cluster: FakeCluster) =>
    void cluster.logs.set(logPath, lines)

async function checkPod(
  t: Test,
  parts: PodParts,
  prepare: (cluster: FakeCluster) => void = () => {},
): Promise<Outcome> {
  const cluster = await createCluster()
  cluster.objects.push(podOf(parts))
  prepare(cluster)
  return runCheck(t, cluster, '--pod', 'shop/web-0')
}

const waiting = (reason: string, message: string) => ({ ready: false, state: { waiting: { reason, message } } })
const failedRun = (message: string) => [
  {
    name: 'akv-injector',
    ready: false,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { exitCode: 1, message } },
  },
]
const unlabeled = (cluster: FakeCluster) => (cluster.find('Namespace', 'shop').metadata.labels = {})
const reportOnly = (cluster: FakeCluster) =>
  (cluster.find('ConfigMap', 'akv-injector-configuration')['data'] = { 'configuration.yaml': 'report: true' })
const place = 'vault my-kv, secret db-password'

const cases: (readonly [
  what: string,
  parts: PodParts,
  finds: RegExp,
  remedy: RegExp,
  prepare?: (cluster: FakeCluster) => void,
])[] = [
  ['its namespace has no label', {}, /^FAIL namespaces: namespace shop: lacks the label/, /kubectl label/, unlabeled],
  ['it has no label', { labels: {} }, /^FAIL injection: pod shop\/web-0: lacks the label azure\.work/, /pod template/],
  ['it has no annotation', { annotations: {} }, /^FAIL injection: .*requests no objects/, /not to the workload itself/],
  [
    'it opted out',
    { annotations: { ...asks, 'azure.keyvault.injector/inject': 'false' } },
    /^WARN .*"false"/,
    /remove/,
  ],
  ['it is static', { annotations: { ...asks, 'kubernetes.io/config.mirror': 'x' } }, /mirrors/, /DaemonSet/],
  [
    'it is older than the injector',
    { created: '2026-01-01T00:00:00Z' },
    /^FAIL injection: .*was created \(2026-01-01T00:00:00Z\) before the injector was installed/,
    /recreate/,
    (cluster) =>
      Object.assign(cluster.find('MutatingWebhookConfiguration', 'akv-injector').metadata, {
        creationTimestamp: '2026-02-01T00:00:00Z',
      }),
  ],
  [
    "the administrator's file has report: true",
    { created: '2026-01-01T00:00:00Z' },
    /^WARN injection: pod shop\/web-0: is not injected, because the administrator's file has report: true$/,
    /^remove it from the file and recreate the pod$/,
    reportOnly,
  ],
  ['it was missed', {}, /^FAIL injection: .*created before its namespace was labeled/, /recreate/],
  [
    'the image of its sidecar cannot be pulled',
    { sidecar: [{ name: 'akv-injector', ...waiting('ImagePullBackOff', 'not found') }] },
    /^FAIL images: pod shop\/web-0, container akv-injector: akv-injector:0\.1\.0 cannot be pulled \(ImagePullBackOff\)/,
    /image in the administrator's file/,
  ],
  [
    'the image of its app cannot be pulled',
    { sidecar: [running], containerStatuses: [{ name: 'app', ...waiting('ErrImagePull', '401') }] },
    /^FAIL images: pod shop\/web-0, container app: web:1 cannot be pulled/,
    /the image in the pod template.*imagePullSecrets/,
  ],
  [
    'its tenant is wrong',
    {
      sidecar: failedRun(
        `${place}: 401 AKV10032: identity 1 signed in, but at a tenant that this vault does not trust`,
      ),
    },
    /^FAIL sidecar: pod shop\/web-0, container akv-injector: failed: vault my-kv, secret db-password: 401 AKV10032/,
    /^wrong tenant: set the annotation azure\.keyvault\.injector\/tenant-id/,
  ],
  [
    'its vault is unreachable',
    { sidecar: failedRun(`${place}: ETIMEDOUT: my-kv:443 did not accept a connection in time`) },
    /^FAIL sidecar: .*ETIMEDOUT/,
    /^vault unreachable: check NetworkPolicies/,
  ],
  [
    'its vault does not exist',
    { sidecar: failedRun(`${place}: ENOTFOUND: the name`) },
    /ENOTFOUND/,
    /^vault unreachable/,
  ],
  ['its role is missing', { sidecar: failedRun(`${place}: 403 ForbiddenByRbac: grant`) }, /403/, /^grant the identity/],
  [
    'its vault names another tenant',
    { sidecar: failedRun('vault my-kv: the vault belongs to tenant 1, but the pod signs in at tenant 2; if') },
    /belongs to tenant 1/,
    /^wrong tenant: /,
  ],
  ['its firewall', { sidecar: failedRun(`${place}: 403 ForbiddenByFirewall: it`) }, /403/, /private-networks\.md/],
  ['its credential', { sidecar: failedRun('sign-in: AADSTS70021: no match') }, /AADSTS/, /^add a federated credential/],
  ['its message is new', { sidecar: failedRun('something else') }, /something else/, /a-pod-does-not-start/],
  [
    'its kubelet is too old',
    { sidecar: [running, { ...failedRun('the kubelet of this node')[0], name: 'akv-injector-env' }] },
    /^FAIL sidecar: pod shop\/web-0, container akv-injector-env: failed: the kubelet of this node/,
    /environment-variables-does-not-start/,
    logs(),
  ],
  [
    'no node has room',
    { sidecar: [], conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes' }] },
    /^WARN sidecar: pod shop\/web-0: is not scheduled: 0\/1 nodes/,
    /CPU and memory/,
  ],
  [
    'it does not start yet',
    { sidecar: [{ ...running, ready: false }] },
    /^FAIL sidecar: pod shop\/web-0, vault my-kv: the poll at .* failed: vault my-kv, .*ECONNREFUSED/,
    /^vault unreachable/,
    logs(
      warned('poll', `${place}: ECONNREFUSED: refused`, { vault: 'my-kv' }),
      warned('object', `${place}: ECONNREFUSED: refused`, { vault: 'my-kv', state: 'failing' }),
    ),
  ],
  [
    'an object fails',
    { sidecar: [running] },
    /^WARN sidecar: pod shop\/web-0, vault my-kv: vault my-kv, secret db-password: 403/,
    /^grant the identity/,
    logs(
      warned('object', `${place}: 403 ForbiddenByRbac: grant`, { vault: 'my-kv', name: 'a', state: 'failing' }),
      info('object', { vault: 'my-kv', name: 'b', state: 'recovered' }),
    ),
  ],
  [
    'its app was not notified',
    { sidecar: [running] },
    /^WARN sidecar: pod shop\/web-0, notification: the app has not been notified \(http-error\): 127/,
    /signals\.md/,
    logs(warned('notification', '127.0.0.1 answered 500', { channel: 'http', outcome: 'http-error' })),
  ],
  [
    'its app cannot be signaled',
    { sidecar: [running] },
    /^WARN sidecar: .*the app cannot be signaled \(not-permitted\): user 1 may not/,
    /troubleshooting\.md#sidecar-not-permitted/,
    logs(warned('signal-permission', 'user 1 may not', { outcome: 'not-permitted' })),
  ],
  [
    'its volume cannot be written',
    { sidecar: [running] },
    /^WARN sidecar: pod shop\/web-0, volume: could not write/,
    /sidecar-volume/,
    logs(warned('switch-failed', 'could not write')),
  ],
  [
    'something changes its volume',
    { sidecar: [running] },
    /^WARN sidecar: pod shop\/web-0, volume: something other/,
    /sidecar-tampered/,
    logs(warned('volume-tampered', 'something other')),
  ],
  ['an object expires', { sidecar: [running] }, /expires/, /renew/, logs(warned('expiring', 'secret a expires'))],
  [
    'its log cannot be read',
    { sidecar: [running] },
    /^WARN sidecar: .*log of the sidecar: cannot be checked: GET .*403/,
    /as someone who may/,
    (cluster) => cluster.forbidden.push('/log'),
  ],
]

for (const [what, parts, finds, remedy, prepare] of cases)
  void t.test(`check --pod: says what to do about a pod if ${what}`, async (t) => {
    const outcome = await checkPod(t, parts, prepare)
    t.match(wrong(outcome), [finds])
    t.equal(wrong(outcome).length, 1)
    const [finding] = outcome.findings.filter(({ status }) => status !== 'OK')
    t.match(finding?.remedy, remedy)
    t.equal(outcome.code, finding?.status === 'FAIL' ? 1 : 0)
  })

void t.test('check --pod: links to the section that a termination message names', async (t) => {
  const said = `${place}: 403 ForbiddenByRbac: ${'grant it '.repeat(300)}(docs: troubleshooting.md#sidecar-forbidden)`
  const { findings } = await checkPod(t, { sidecar: failedRun(said) })
  const finding = findings.find(({ status }) => status === 'FAIL')
  t.match(finding, { text: /grant it/, help: 'troubleshooting.md#sidecar-forbidden' })
})

void t.test('check --pod: has nothing to say about a pod that is well, or was before', async (t) => {
  const failing = { vault: 'my-kv', name: 'a', state: 'failing' }
  const lines = [
    warned('poll', 'long ago', { vault: 'other-kv', time: ago(60) }),
    warned('poll', 'failed', { vault: 'my-kv' }),
    warned('object', 'failed', failing),
    warned('switch-failed', 'failed'),
    warned('notification', 'failed', { channel: 'signal', outcome: 'no-such-process' }),
    warned('signal-permission', 'failed', { outcome: 'not-permitted' }),
    info('object', { ...failing, state: 'recovered' }),
    info('switched', { vault: 'my-kv' }),
    info('notification', { channel: 'signal', outcome: 'delivered' }),
    info('signal-permission', { outcome: 'permitted' }),
  ]
  const outcome = await checkPod(t, { sidecar: [running] }, logs(...lines))
  t.strictSame(wrong(outcome), [])
  t.equal(outcome.code, 0)
})

void t.test('check --pod: a log that the pod made up is cut off and cannot reach the terminal', async (t) => {
  const message = `\u001b[2J\u202e${'x'.repeat(5000)}`
  const lines = Array.from({ length: 300 }, (_, index) =>
    warned('object', `${index}${message}`, { vault: message, name: `s${index}`, state: 'failing' }),
  )
  const strange = [{ event: 1, msg: {}, level: [] }, warned('poll', 'x', { vault: 5, time: null })]
  const asked: string[] = []
  const outcome = await checkPod(t, { sidecar: [running] }, (cluster) => {
    logs(...strange, ...lines)(cluster)
    const follow = cluster.follow.bind(cluster)
    cluster.follow = (request, each) => {
      asked.push(request.path)
      return follow(request, each)
    }
  })
  t.match(asked, [/\/log\?container=akv-injector&tailLines=1000&limitBytes=1048576$/])
  t.equal(wrong(outcome).length, 21)
  t.match(wrong(outcome).at(-1), /more findings/)
  t.ok(outcome.out.length < 60_000)
  for (const character of '\u001b\u202e') t.notOk(outcome.out.includes(character))
  t.match(outcome.out, '\\u001b[2J\\u202e')
})

void t.test('check --pod: a pod that does not exist', async (t) => {
  const cluster = await createCluster()
  const outcome = await runCheck(t, cluster, '-n', 'shop', '--pod', 'web-1')
  t.match(wrong(outcome), [/^FAIL injection: pod shop\/web-1: does not exist/])
  t.match(outcome.out, /kubectl get events/)
  t.equal(outcome.code, 1)
})
