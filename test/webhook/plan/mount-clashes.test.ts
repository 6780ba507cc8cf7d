import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'

interface Mount {
  name: string
  mountPath: string
  readOnly?: boolean
  subPath?: string
}
interface Case {
  mountPath?: string
  mounts?: Mount[]
  volumes?: object[]
  container?: object
  /** The other containers, and init containers. */
  spec?: { containers?: object[]; initContainers?: object[] }
}

function decisionOf({ mountPath = '/mnt/secrets', mounts = [], volumes = [], container = {}, spec = {} }: Case) {
  const containers = [{ name: 'app', image: 'a', volumeMounts: mounts, ...container }, ...(spec.containers ?? [])]
  return decide(
    annotated({ 'mount-path': mountPath, containers: 'app' }, { ...spec, containers, volumes }),
    planInputs(),
  )
}

/** What a pod is denied for; nothing if it is injected. */
function problemsOf(given: Case): string[] {
  const decision = decisionOf(given)
  return decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : []
}

const token = [
  { name: 'kube-api-access-x7k2p', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
]

void t.test('mount paths: different spellings of a path are one path', async (t) => {
  const same = /^clash: container "app" has volume "x" at ".*", where the secrets would be: choose another mount-path$/
  const inside =
    /^clash: container "app" has volume "x" at ".*", inside ".*", which is read-only: choose another mount-path$/
  const cases: [mountPath: string, other: string, expected: RegExp][] = [
    ['/mnt/secrets', '/mnt/secrets/', same],
    ['/mnt/secrets', '/mnt//secrets', same],
    ['/mnt/secrets', '/mnt/./secrets', same],
    ['/mnt/secrets', '/mnt/x/../secrets/.', same],
    ['/mnt/secrets', '/mnt/secrets/tls/..', same],
    ['/mnt/secrets', 'mnt/secrets', same],
    ['/mnt/secrets', '/../mnt/secrets', same],
    ['/mnt/secrets', '/mnt//secrets//tls', inside],
    ['/mnt/secrets', '/mnt/x/../secrets/tls', inside],
    ['/run/secrets', '/var/run/secrets/x', inside],
    ['/var/run/secrets', '/run/secrets/x', inside],
    ['/var/run', '/run/x', inside],
    ['/run', '/var/run/x', inside],
    ['/run/lock/x', '/var/lock/x/y', inside],
    ['/usr/lib/x', '/lib/x/y', inside],
  ]
  for (const [mountPath, other, expected] of cases) {
    t.match(problemsOf({ mountPath, mounts: [{ name: 'x', mountPath: other }] }), [expected], `${mountPath}, ${other}`)
  }
  t.strictSame(problemsOf({ mountPath: '/run/app', mounts: [{ name: 'x', mountPath: '/var/run/app' }] }), [
    'clash: container "app" has volume "x" at "/var/run/app", which is "/run/app", where the secrets would be: choose another mount-path',
  ])
  for (const other of [
    '/mnt/secrets2',
    '/mnt',
    '/mnt/secrets/..',
    '/var/run',
    '/variable/run/secrets',
    '/mnt/secret',
  ]) {
    t.strictSame(problemsOf({ mounts: [{ name: 'x', mountPath: other }] }), [], `apart: ${other}`)
  }
})

void t.test('mount paths: the folder of the ServiceAccount token clashes under either name', async (t) => {
  for (const mountPath of ['/run/secrets', '/var/run/secrets', '/run', '/var', '/var/run/secrets/kubernetes.io']) {
    const problems = problemsOf({ mountPath, mounts: token })
    t.strictSame(
      problems,
      [
        `clash: container "app" has the ServiceAccount token at "/var/run/secrets/kubernetes.io/serviceaccount", inside "${mountPath}", which is read-only: choose another mount-path`,
      ],
      mountPath,
    )
  }
  t.strictSame(problemsOf({ mountPath: '/run/secrets/app', mounts: token }), [], 'beside it there is room')
})

void t.test('mount paths: a folder inside a read-only volume cannot be created', async (t) => {
  const at = (more: object = {}): Mount[] => [{ name: 'conf', mountPath: '/etc/app', ...more }]
  const readOnly = at({ readOnly: true })
  const denied: Record<string, [Mount[], object]> = {
    'an emptyDir': [readOnly, { emptyDir: {} }],
    'an ephemeral claim': [readOnly, { ephemeral: {} }],
    'a subPath of an emptyDir': [at({ readOnly: true, subPath: 'x' }), { emptyDir: {} }],
  }
  for (const [name, [mounts, source]] of Object.entries(denied)) {
    t.strictSame(
      problemsOf({ mountPath: '/etc/app/secrets', mounts, volumes: [{ name: 'conf', ...source }] }),
      [
        'clash: container "app" has volume "conf" at "/etc/app", which is read-only, so that the folder "/etc/app/secrets" cannot be made in it: choose another mount-path',
      ],
      name,
    )
  }
  const parts: Record<string, [Mount[], object]> = {
    'a file of a ConfigMap': [at({ subPath: 'x' }), { configMap: { name: 'x' } }],
    'a socket of the host': [at(), { hostPath: { path: '/x', type: 'Socket' } }],
    'a ConfigMap under the other name of its folder': [
      [{ name: 'conf', mountPath: '/var/run/app' }],
      { configMap: {} },
    ],
  }
  for (const [name, [mounts, source]] of Object.entries(parts)) {
    const mountPath = name.includes('name') ? '/run/app/secrets' : '/etc/app/secrets'
    const problems = problemsOf({ mountPath, mounts, volumes: [{ name: 'conf', ...source }] })
    t.match(
      problems,
      [/^clash: container "app" has volume "conf" at .*cannot be made in it: choose another mount-path$/],
      name,
    )
  }
  const admitted: Record<string, [Mount[], object]> = {
    'a writable emptyDir': [at(), { emptyDir: {} }],
    'a writable claim': [at(), { persistentVolumeClaim: { claimName: 'x' } }],
    'a ConfigMap': [readOnly, { configMap: { name: 'x' } }],
    'a Secret': [readOnly, { secret: { secretName: 'x' } }],
    'a projected volume': [readOnly, { projected: { sources: [] } }],
    'a downward API volume': [readOnly, { downwardAPI: {} }],
    'a writable folder inside a read-only one': [
      [...readOnly, { name: 'rw', mountPath: '/etc/app/data' }],
      { emptyDir: {} },
    ],
  }
  for (const [name, [mounts, source]] of Object.entries(admitted)) {
    const volumes = [
      { name: 'conf', ...source },
      { name: 'rw', emptyDir: {} },
    ]
    const mountPath = mounts.length > 1 ? '/etc/app/data/secrets' : '/etc/app/secrets'
    t.strictSame(problemsOf({ mountPath, mounts, volumes }), [], name)
  }
})

void t.test('mount paths: a read-only volume may already contain the folder', async (t) => {
  const at = (more: object = {}): Mount[] => [{ name: 'conf', mountPath: '/etc/app', ...more }]
  const readOnly = at({ readOnly: true })
  const writer = (readOnly = false) => ({
    name: 'other',
    image: 'a',
    volumeMounts: [{ name: 'conf', mountPath: '/x', readOnly }],
  })
  const warned: Record<string, [mounts: Mount[], source: object, spec?: Case['spec']]> = {
    'an emptyDir that an init container writes': [readOnly, { emptyDir: {} }, { initContainers: [writer()] }],
    'an emptyDir that another container writes': [readOnly, { emptyDir: {} }, { containers: [writer()] }],
    'an ephemeral claim that an init container writes': [readOnly, { ephemeral: {} }, { initContainers: [writer()] }],
    'a subPath that an init container writes': [
      at({ readOnly: true, subPath: 'x' }),
      { emptyDir: {} },
      { initContainers: [writer()] },
    ],
    'a folder of the host': [readOnly, { hostPath: { path: '/x' } }],
    'a claim': [readOnly, { persistentVolumeClaim: { claimName: 'x' } }],
    'a claim that is read-only itself': [at(), { persistentVolumeClaim: { claimName: 'x', readOnly: true } }],
    'a CSI volume': [at(), { csi: { driver: 'x.example', readOnly: true } }],
    'an NFS export': [at(), { nfs: { server: 's', path: '/', readOnly: true } }],
    'an image': [at(), { image: { reference: 'x' } }],
    'a claim of a StatefulSet': [readOnly, {}],
  }
  const given = ([mounts, source, spec = {}]: [Mount[], object, Case['spec']?]) => ({
    mountPath: '/etc/app/secrets',
    mounts,
    volumes: [{ name: 'conf', ...source }],
    spec,
  })
  for (const [name, one] of Object.entries(warned)) {
    const { kind, warnings } = decisionOf(given(one))
    t.equal(kind, 'inject', name)
    t.match(
      warnings,
      [
        {
          reason: 'read-only-parent',
          text: 'container "app" has volume "conf" at "/etc/app", which is read-only: it starts only if the folder "/etc/app/secrets" exists in that volume; create the folder or choose another mount-path',
        },
      ],
      name,
    )
  }
  const denied: Record<string, [mounts: Mount[], source: object, spec?: Case['spec']]> = {
    'an emptyDir that another container only reads': [readOnly, { emptyDir: {} }, { containers: [writer(true)] }],
    'an emptyDir that the container itself writes': [
      [...readOnly, { name: 'conf', mountPath: '/y' }],
      { emptyDir: {} },
    ],
    'the Secrets Store CSI driver': [at(), { csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } }],
    'a file of the host': [readOnly, { hostPath: { path: '/x', type: 'File' } }],
    'a part of a ConfigMap': [at({ subPath: 'x' }), { configMap: {} }, { containers: [writer()] }],
  }
  for (const [name, one] of Object.entries(denied))
    t.match(problemsOf(given(one)), [/^clash: .*cannot be made in it/], name)
  t.strictSame(decisionOf(given([at(), { emptyDir: {} }])).warnings, [], 'a writable volume')
})

void t.test("mount paths: devices and the kubelet's files clash in both directions", async (t) => {
  const device = (devicePath: string) => ({ container: { volumeDevices: [{ name: 'disk', devicePath }] } })
  t.match(problemsOf(device('/mnt/secrets/')), [/a device at "\/mnt\/secrets", where the secrets would be/])
  t.match(problemsOf(device('/mnt/./secrets/disk')), [/a device at "\/mnt\/secrets\/disk", inside "\/mnt\/secrets"/])
  t.match(problemsOf(device('/mnt')), [/a device at "\/mnt", which is no folder/])
  t.strictSame(problemsOf(device('/mnt/disk')), [])
  const message = (terminationMessagePath: string) => ({ container: { terminationMessagePath } })
  t.match(problemsOf(message('/mnt/secrets/message')), [/its terminationMessagePath at .*, inside "\/mnt\/secrets"/])
  t.strictSame(problemsOf(message('/dev/termination-log')), [])
  for (const mountPath of ['/etc', '/etc/hosts', '/etc/resolv.conf/x']) {
    t.match(problemsOf({ mountPath }), [
      /^clash: mount path ".*" leaves no place for \/etc\/.*, which the kubelet mounts/,
    ])
  }
  t.strictSame(problemsOf({ mountPath: '/etc/secrets' }), [])
})

void t.test('mount paths: the token of the workload identity webhook is foreseen', async (t) => {
  const folder = '/var/run/secrets/azure/tokens'
  const warned = (mountPath: string, { annotations = {}, spec = {} }: { annotations?: object; spec?: object } = {}) =>
    decide(annotated({ 'mount-path': mountPath, ...annotations }, spec), planInputs()).warnings
  const text = (name: string) => [
    {
      reason: 'identity-mount',
      text: `choose another mount-path: if the Azure workload identity webhook is installed, it mounts a token into container "${name}" at ${folder}, and the pod is rejected`,
    },
  ]
  for (const mountPath of [folder, '/run/secrets/azure/tokens', '/var/run/secrets/azure', '/var/run/secrets', '/run'])
    t.strictSame(warned(mountPath), text('app'), mountPath)
  for (const mountPath of [`${folder}/app`, '/var/run/secrets/azure/certs', '/var/run/secrets/azure/tokens2'])
    t.strictSame(warned(mountPath), [], mountPath)
  const two = { containers: [{ name: 'app' }, { name: 'web' }] }
  const skip = (names: string) => ({ 'azure.workload.identity/skip-containers': names })
  t.strictSame(warned(folder, { annotations: skip('app; web'), spec: two }), [])
  t.strictSame(warned(folder, { annotations: skip('app'), spec: two }), text('web'))
  t.strictSame(warned(folder, { annotations: { ...skip('app'), containers: 'app' }, spec: two }), [], 'no other mounts')
  // What the API server calls the injector with, the second time.
  const mounts = [{ name: 'azure-identity-token', mountPath: folder, readOnly: true }]
  const volumes = [{ name: 'azure-identity-token', projected: {} }]
  t.match(problemsOf({ mountPath: '/run/secrets/azure', mounts, volumes }), [
    /^clash: container "app" has volume "azure/,
  ])
  t.strictSame(problemsOf({ mountPath: `${folder}/app`, mounts, volumes }), [])
})
