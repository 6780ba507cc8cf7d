import t from 'tap'
import { decide } from '../../../webhook/decide.ts'
import { annotated } from '../review-app.ts'
import { surroundings } from '../setting.ts'

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
}

/** What a pod is denied for; nothing if it is injected. */
function problemsOf({ mountPath = '/mnt/secrets', mounts = [], volumes = [], container = {} }: Case): string[] {
  const spec = { containers: [{ name: 'app', image: 'a', volumeMounts: mounts, ...container }], volumes }
  const decision = decide(annotated({ 'mount-path': mountPath }, spec), surroundings())
  return decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : []
}

const token = [{ name: 'kube-api-access-x7k2p', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }] // prettier-ignore

void t.test('mount paths: spellings of one place are one place', async (t) => {
  const same = /^clash: container "app" has volume "x" at ".*", where the secrets would be: choose another mount-path$/
  const inside = /^clash: container "app" has volume "x" at ".*", inside ".*", which is read-only: choose another mount-path$/ // prettier-ignore
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
    'clash: container "app" has volume "x" at "/var/run/app", which is "/run/app", where the secrets would be: choose another mount-path', // prettier-ignore
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

void t.test('mount paths: the ServiceAccount token is in the way under either name of its folder', async (t) => {
  for (const mountPath of ['/run/secrets', '/var/run/secrets', '/run', '/var', '/var/run/secrets/kubernetes.io']) {
    const problems = problemsOf({ mountPath, mounts: token })
    t.strictSame(problems, [`clash: container "app" has the ServiceAccount token at "/var/run/secrets/kubernetes.io/serviceaccount", inside "${mountPath}", which is read-only: choose another mount-path`], mountPath) // prettier-ignore
  }
  t.strictSame(problemsOf({ mountPath: '/run/secrets/app', mounts: token }), [], 'beside it there is room')
})

void t.test('mount paths: no folder can be made inside a volume that is mounted read-only', async (t) => {
  const at = (more: object = {}): Mount[] => [{ name: 'conf', mountPath: '/etc/app', ...more }]
  const readOnly = at({ readOnly: true })
  const denied: Record<string, [Mount[], object]> = {
    'an emptyDir': [readOnly, { emptyDir: {} }],
    'a claim': [readOnly, { persistentVolumeClaim: { claimName: 'x' } }],
    'a claim that is read-only itself': [at(), { persistentVolumeClaim: { claimName: 'x', readOnly: true } }],
    'a folder of the host': [readOnly, { hostPath: { path: '/x' } }],
    'a CSI volume': [at(), { csi: { driver: 'x.example', readOnly: true } }],
    'an NFS export': [at(), { nfs: { server: 's', path: '/', readOnly: true } }],
    'an ephemeral claim': [readOnly, { ephemeral: {} }],
    'an image': [at(), { image: { reference: 'x' } }],
    'a claim of a StatefulSet': [readOnly, {}],
    'a subPath of an emptyDir': [at({ readOnly: true, subPath: 'x' }), { emptyDir: {} }],
  }
  for (const [name, [mounts, source]] of Object.entries(denied)) {
    t.strictSame(problemsOf({ mountPath: '/etc/app/secrets', mounts, volumes: [{ name: 'conf', ...source }] }), [
      'clash: container "app" has volume "conf" at "/etc/app", which is read-only, so that the folder "/etc/app/secrets" cannot be made in it: choose another mount-path', // prettier-ignore
    ], name) // prettier-ignore
  }
  const parts: Record<string, [Mount[], object]> = {
    'a file of a ConfigMap': [at({ subPath: 'x' }), { configMap: { name: 'x' } }],
    'a socket of the host': [at(), { hostPath: { path: '/x', type: 'Socket' } }],
    'a ConfigMap under the other name of its folder': [[{ name: 'conf', mountPath: '/var/run/app' }], { configMap: {} }], // prettier-ignore
  }
  for (const [name, [mounts, source]] of Object.entries(parts)) {
    const mountPath = name.includes('name') ? '/run/app/secrets' : '/etc/app/secrets'
    const problems = problemsOf({ mountPath, mounts, volumes: [{ name: 'conf', ...source }] })
    t.match(problems, [/^clash: container "app" has volume "conf" at .*cannot be made in it: choose another mount-path$/], name) // prettier-ignore
  }
  const admitted: Record<string, [Mount[], object]> = {
    'a writable emptyDir': [at(), { emptyDir: {} }],
    'a writable claim': [at(), { persistentVolumeClaim: { claimName: 'x' } }],
    'a ConfigMap': [readOnly, { configMap: { name: 'x' } }],
    'a Secret': [readOnly, { secret: { secretName: 'x' } }],
    'a projected volume': [readOnly, { projected: { sources: [] } }],
    'a downward API volume': [readOnly, { downwardAPI: {} }],
    'a writable folder inside a read-only one': [[...readOnly, { name: 'rw', mountPath: '/etc/app/data' }], { emptyDir: {} }], // prettier-ignore
  }
  for (const [name, [mounts, source]] of Object.entries(admitted)) {
    const volumes = [{ name: 'conf', ...source }, { name: 'rw', emptyDir: {} }] // prettier-ignore
    const mountPath = mounts.length > 1 ? '/etc/app/data/secrets' : '/etc/app/secrets'
    t.strictSame(problemsOf({ mountPath, mounts, volumes }), [], name)
  }
})

void t.test('mount paths: devices and files of the kubelet are in the way from either side', async (t) => {
  const device = (devicePath: string) => ({ container: { volumeDevices: [{ name: 'disk', devicePath }] } })
  t.match(problemsOf(device('/mnt/secrets/')), [/a device at "\/mnt\/secrets", where the secrets would be/])
  t.match(problemsOf(device('/mnt/./secrets/disk')), [/a device at "\/mnt\/secrets\/disk", inside "\/mnt\/secrets"/])
  t.match(problemsOf(device('/mnt')), [/a device at "\/mnt", which is no folder/])
  t.strictSame(problemsOf(device('/mnt/disk')), [])
  const message = (terminationMessagePath: string) => ({ container: { terminationMessagePath } })
  t.match(problemsOf(message('/mnt/secrets/message')), [/its terminationMessagePath at .*, inside "\/mnt\/secrets"/])
  t.strictSame(problemsOf(message('/dev/termination-log')), [])
  for (const mountPath of ['/etc', '/etc/hosts', '/etc/resolv.conf/x']) {
    t.match(problemsOf({ mountPath }), [/^clash: mount path ".*" leaves no place for \/etc\/.*, which the kubelet mounts/]) // prettier-ignore
  }
  t.strictSame(problemsOf({ mountPath: '/etc/secrets' }), [])
})
