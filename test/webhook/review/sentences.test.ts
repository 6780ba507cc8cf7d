import t from 'tap'
import { annotated } from '../review-app.ts'
import { configurationOf } from '../default-configuration.ts'
import type { PlanInputs } from '../../../webhook/plan/inputs.ts'
import { matchSentences, problemsOf, sentencesOf, warningsOf, type Case, type Cases } from './sentences.ts'

const app = (fields: object) => ({ containers: [{ name: 'app', image: 'a', ...fields }] })

void t.test('denials: each problem is a sentence with its remedy', async (t) => {
  const rules = (vaults: object[]) => ({ configuration: configurationOf({ vaults }) })
  const cases: Cases = {
    'Windows by os': [annotated({}, { os: { name: 'windows' } })],
    'Windows by node selector': [annotated({}, { nodeSelector: { 'kubernetes.io/os': 'windows' } })],
    'a container with our name': [annotated({}, { initContainers: [{ name: 'akv-injector' }] })],
    'a volume with our name': [annotated({}, { volumes: [{ name: 'akv-injector-run' }] })],
    'a mount where ours goes': [annotated({}, app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/secrets/' }] }))],
    'a volume of the CSI driver left behind': [
      annotated(
        { 'mount-path': '/mnt/store' },
        {
          ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store', readOnly: true }] }),
          volumes: [{ name: 'x', csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } }],
        },
      ),
    ],
    'a volume of the CSI driver around ours': [
      annotated(
        { 'mount-path': '/mnt/store/web' },
        {
          ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store', readOnly: true }] }),
          volumes: [{ name: 'x', csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } }],
        },
      ),
    ],
    'a volume of another CSI driver': [
      annotated(
        { 'mount-path': '/mnt/store' },
        {
          ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store' }] }),
          volumes: [{ name: 'x', csi: { driver: 'disk.csi.azure.com' } }],
        },
      ),
    ],
    'a mount inside ours': [annotated({}, app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/secrets/ca' }] }))],
    'a device where ours goes': [annotated({}, app({ volumeDevices: [{ name: 'x', devicePath: '/mnt/secrets' }] }))],
    'our volume, writable': [annotated({}, app({ volumeMounts: [{ name: 'akv-injector-secrets', mountPath: '/x' }] }))],
    'a mount path of the runtime': [annotated({ 'mount-path': '/proc/x' })],
    'signal with hostPID': [annotated({ signal: 'SIGHUP' }, { hostPID: true })],
    'signal without sharing': [annotated({ signal: 'SIGHUP' }, { shareProcessNamespace: false })],
    'signal to one of several': [annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'a' }, { name: 'b' }] })],
    'signal to nobody': [annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'istio-proxy' }] })],
    'signal to an unknown container': [annotated({ signal: 'SIGHUP', 'signal-container': 'ap' })],
    'cap-kill where restricted': [
      annotated({ signal: 'SIGHUP', 'signal-permission': 'cap-kill' }),
      { namespace: { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} } },
    ],
    'root where restricted': [
      annotated({ signal: 'SIGHUP', 'run-as-user': '0' }),
      { namespace: { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} } },
    ],
    'root without a signal': [annotated({ 'run-as-user': '0' })],
    'native on old kubelets': [annotated({ mode: 'native' }), { oldestKubelet: 'v1.28.15' }],
    'a request above the limit': [annotated({ 'request-memory': '1Gi' })],
    'a LimitRange that refuses the sidecar': [
      annotated(),
      { limitRanges: [{ name: 'small', type: 'Container', max: { cpu: '100m', memory: '1Gi' } }] },
    ],
    'a LimitRange that asks for more': [
      annotated(),
      { limitRanges: [{ name: 'large', type: 'Container', min: { memory: '64Mi' } }] },
    ],
    'a LimitRange with a ratio': [
      annotated(),
      { limitRanges: [{ name: 'even', type: 'Container', maxLimitRequestRatio: { cpu: '2', memory: '4' } }] },
    ],
    'a LimitRange whose default limit is too small': [
      annotated({ 'request-ephemeral-storage': '64Mi' }),
      { limitRanges: [{ name: 'small', type: 'Container', default: { cpu: '5m', 'ephemeral-storage': '32Mi' } }] },
    ],
    'a LimitRange whose default limit is too large a multiple': [
      annotated({ 'request-ephemeral-storage': '64Mi' }),
      {
        limitRanges: [
          {
            name: 'even',
            type: 'Container',
            default: { 'ephemeral-storage': '1Gi' },
            maxLimitRequestRatio: { 'ephemeral-storage': '10' },
          },
        ],
      },
    ],
    'a LimitRange whose default limit makes the pod too large': [
      annotated({}, app({ resources: { limits: { 'ephemeral-storage': '1Gi' } } })),
      {
        limitRanges: [
          { name: 'one', type: 'Container', default: { 'ephemeral-storage': '1Gi' } },
          { name: 'whole', type: 'Pod', max: { 'ephemeral-storage': '1.5Gi' } },
        ],
      },
    ],
    'a LimitRange that refuses the pod as a whole': [
      annotated({}, app({ resources: { limits: { cpu: '900m' } } })),
      { limitRanges: [{ name: 'whole', type: 'Pod', max: { cpu: '1' } }] },
    ],
    'a LimitRange whose least limit only the sidecar has': [
      annotated({}, app({ resources: { requests: { memory: '1Gi' } } })),
      { limitRanges: [{ name: 'whole', type: 'Pod', min: { memory: '256Mi' } }] },
    ],
    'a LimitRange with a ratio for the pod': [
      annotated({}, app({ resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } })),
      { limitRanges: [{ name: 'whole', type: 'Pod', maxLimitRequestRatio: { cpu: '2' } }] },
    ],
    'a classic proxy already there': [annotated({}, { containers: [{ name: 'app' }, { name: 'istio-proxy' }] })],
    'a classic proxy with half of the advice': [
      annotated(
        { 'config.linkerd.io/skip-outbound-ports': '443' },
        { containers: [{ name: 'app' }, { name: 'linkerd-proxy' }] },
      ),
    ],
    'a pod that is full': [
      annotated({}, { resources: { requests: { cpu: '1' } }, ...app({ resources: { requests: { cpu: '1000m' } } }) }),
    ],
    'no ServiceAccount': [annotated(), { serviceAccount: undefined as never }],
    'no client id': [annotated({}, { serviceAccountName: 'web' }), { serviceAccount: { annotations: {} } }],
    'no tenant id': [annotated(), { configuration: configurationOf({ tenantId: undefined }) }],
    'an unknown cloud': [annotated({ cloud: 'AzureGovernmentCloud' })],
    'no vault': [annotated({ vault: '' })],
    'objects without a vault': [
      {
        ...annotated(),
        metadata: {
          labels: annotated().metadata.labels,
          annotations: { 'azure.keyvault.injector/objects': 'a,b,key/c,d,e' },
        },
      },
    ],
    'a vault elsewhere without a rule': [annotated({ vault: 'https://kv.example.org' })],
    'a vault that no rule allows': [
      annotated(),
      rules([
        { namespaces: ['shop'], vaults: ['other-*', 'shared-kv'] },
        { namespaces: ['x*'], vaults: ['*'] },
      ]),
    ],
    'a pattern does not reach into a domain': [
      annotated({ vault: 'https://my-kv.evil.example' }),
      rules([{ namespaces: ['*'], vaults: ['https://my-*', 'my-*'] }]),
    ],
    'a managed HSM': [annotated({ vault: 'https://x.managedhsm.azure.net' })],
    'below the bounds': [annotated({ 'poll-interval': '1s' })],
    'above the bounds, on the namespace': [
      annotated(),
      { namespace: { name: 'shop', labels: {}, annotations: { 'azure.keyvault.injector/splay': '2h' } } },
    ],
    'a bound on a quantity': [
      annotated({ 'limit-memory': '2Gi' }),
      { configuration: configurationOf({ bounds: { 'limit-memory': { max: '512Mi' } } }) },
    ],
    'a forbidden annotation': [
      annotated({ 'template-a': 'x' }),
      { configuration: configurationOf({ annotations: { forbidden: ['template-*'] } }) },
    ],
    'one that is not allowed': [
      annotated({ splay: '1s' }),
      { configuration: configurationOf({ annotations: { allowed: ['vault', 'objects'] } }) },
    ],
    "a pod's annotation on the namespace": [
      annotated(),
      { namespace: { name: 'shop', labels: {}, annotations: { 'azure.keyvault.injector/refresh': '1' } } },
    ],
    'two files at one path': [annotated({ 'template-db-password': 'x' })],
    'too much': [annotated({ 'template-a': 'x'.repeat(90_000) })],
    'a typo where nothing is asked for': [
      annotated({}, {}, { annotations: { 'azure.keyvault.injector/object': 'a' } }),
    ],
  }
  matchSentences(t, 'problems.yaml', sentencesOf(cases, problemsOf))
})

void t.test('warnings: each is one sentence of at most 256 characters with ordinary names', async (t) => {
  const signal = { signal: 'SIGTERM' }
  const known = { securityContext: { runAsUser: 1000 } }
  const hook = { exec: { command: ['sh', '-c', 'kill -HUP 1'] } }
  const cases: Cases = {
    'an unknown user': [annotated(signal)],
    'another user': [annotated({ ...signal, 'run-as-user': '2000' }, known)],
    root: [annotated(signal, { securityContext: { runAsUser: 0 } })],
    'SIGTERM and OnFailure': [annotated(signal, { ...known, restartPolicy: 'OnFailure' })],
    'SIGTERM and Never': [annotated(signal, { ...known, restartPolicy: 'Never' })],
    'SIGTERM and Never of the container': [annotated(signal, { ...known, ...app({ restartPolicy: 'Never' }) })],
    'SIGQUIT and Never': [annotated({ signal: 'SIGQUIT' }, { ...known, restartPolicy: 'Never' })],
    'SIGTERM and preStop': [annotated(signal, { ...known, ...app({ lifecycle: { preStop: {} } }) })],
    'kill 1': [annotated(signal, { ...known, ...app({ livenessProbe: hook }) })],
    'a subPath': [
      annotated(
        {},
        app({ volumeMounts: [{ name: 'akv-injector-secrets', mountPath: '/x', subPath: 'a', readOnly: true }] }),
      ),
    ],
    'kill 1 among others': [
      annotated(signal, {
        ...known,
        ...app({ livenessProbe: { exec: { command: ['sh', '-c', 'kill -HUP 1; sleep 2'] } } }),
      }),
    ],
    'no client id': [
      annotated(),
      { configuration: configurationOf({ missingClientId: 'warn' }), serviceAccount: { annotations: {} } },
    ],
    'a signal in mode once': [annotated({ ...signal, mode: 'once' })],
    'a container without a signal': [annotated({ 'signal-container': 'app' })],
    'a Job on old kubelets': [annotated({}, { restartPolicy: 'Never' }), { oldestKubelet: 'v1.28.1' }],
    'a Job of mode classic': [annotated({ mode: 'classic' }, { restartPolicy: 'OnFailure' })],
    'a Job with the default mode classic': [
      annotated({}, { restartPolicy: 'Never' }),
      { configuration: configurationOf({ defaults: { mode: 'classic' } }) },
    ],
  }
  const sentences = sentencesOf(cases, warningsOf)
  for (const [name, [text = '', ...others]] of Object.entries(sentences)) {
    t.ok(text.length <= 256 && others.length === 0, `${name}: ${text.length} characters`)
  }
  matchSentences(t, 'warnings.yaml', sentences)
  t.strictSame(
    warningsOf(
      annotated(signal, {
        ...known,
        ...app({ livenessProbe: { exec: { command: ['sh', '-c', 'kill -0 10; echo 1'] } } }),
      }),
    ),
    [],
    'other uses of kill and 1 are fine',
  )
  const proxy = { initContainers: [{ name: 'proxy', restartPolicy: 'Always' }] }
  t.strictSame(
    warningsOf(annotated({ ...signal, 'signal-container': 'proxy' }, { ...known, ...proxy, restartPolicy: 'Never' })),
    [],
    'a native sidecar is restarted whatever the pod says',
  )
})

void t.test('denials: an unknown cloud hides no other problem and causes no further one', async (t) => {
  const nobody = { serviceAccount: { annotations: {} } }
  const rules = (...vaults: string[]) => ({
    configuration: configurationOf({ vaults: [{ namespaces: ['*'], vaults }] }),
  })
  const proxied = { containers: [{ name: 'app' }, { name: 'istio-proxy' }] }
  const cases: Record<string, [annotations: Record<string, string>, spec?: object, changes?: Partial<PlanInputs>]> = {
    'a bad name of a vault': [{ vault: 'no_name' }, {}, {}],
    'a private name': [{ vault: 'https://my-kv.privatelink.vaultcore.azure.net' }, {}, {}],
    'a vault of some cloud': [{ vault: 'https://my-kv.vault.azure.cn' }, {}, {}],
    'a vault of no cloud': [{ vault: 'https://kv.example.org' }, {}, {}],
    'a vault that no rule allows': [{}, {}, rules('other-*')],
    'one that is allowed by its name': [{}, {}, rules('my-*')],
    'one that is allowed in some cloud': [{}, {}, rules('https://my-kv.vault.azure.cn')],
    'one whose URL is allowed by its name': [{ vault: 'https://my-kv.vault.azure.cn' }, {}, rules('my-kv')],
    'no client id': [{}, {}, nobody],
    'AD FS, which some clouds have': [{ 'tenant-id': 'adfs' }, {}, {}],
    'two files at one path': [{ 'template-db-password': 'x' }, {}, {}],
    'a template that names what is not there': [
      { 'template-a': '{{ secrets.db }} {{ secrets["db-password"] }}' },
      {},
      {},
    ],
    'too much': [{ 'template-a': 'x'.repeat(90_000) }, {}, {}],
    'a LimitRange': [{}, {}, { limitRanges: [{ name: 'large', type: 'Container', min: { memory: '64Mi' } }] }],
    'a classic proxy': [{}, proxied, {}],
  }
  const pods = Object.entries(cases).map(([name, [annotations, spec = {}, changes = {}]]): [string, Case] => [
    name,
    [annotated({ cloud: 'constructor', ...annotations }, spec), changes],
  ])
  matchSentences(t, 'unknown-cloud.yaml', sentencesOf(Object.fromEntries(pods), problemsOf))
})
