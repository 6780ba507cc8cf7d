import t from 'tap'
import { decide } from '../support/decide.ts'
import { inOrder, oursIn, withDefaults } from '../support/kubernetes-api-server.ts'
import { planInputs } from '../webhook/default-configuration.ts'
import { type Item, type Spec, exportOf, listOf, original, sidecarOf, volumeOf, wanted } from './exported-pod.ts'

const shell = { exec: { command: ['sh', '-c', 'true'] } }

/** Edits of the sidecar that are undone; the text is what a warning names, if something was removed. */
const undone: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, removed?: string]> = {
  'other settings': [(sidecar) => Object.assign(listOf(sidecar, 'env')[0]!, { value: 'e30' })],
  'an identity of its own': [
    (sidecar) =>
      Object.assign(
        listOf(sidecar, 'env').find(({ name }) => name === 'AZURE_CLIENT_ID')!,
        { value: 'x' },
      ),
  ],
  'an authority of its own': [
    (sidecar) =>
      Object.assign(
        listOf(sidecar, 'env').find(({ name }) => name === 'AZURE_AUTHORITY_HOST')!,
        { value: 'https://evil.example/' },
      ),
  ],
  NODE_OPTIONS: [
    (sidecar) => listOf(sidecar, 'env').push({ name: 'NODE_OPTIONS', value: '--require /x' }),
    'variable NODE_OPTIONS',
  ],
  'a token proxy': [
    (sidecar) => listOf(sidecar, 'env').push({ name: 'AZURE_KUBERNETES_TOKEN_PROXY', value: 'https://evil.example' }),
    'variable AZURE_KUBERNETES_TOKEN_PROXY',
  ],
  'a proxy': [
    (sidecar) => listOf(sidecar, 'env').push({ name: 'HTTPS_PROXY', value: 'http://evil.example' }),
    'variable HTTPS_PROXY',
  ],
  'variables from elsewhere': [
    (sidecar) => (sidecar['envFrom'] = [{ configMapRef: { name: 'x' } }] as never),
    'envFrom',
  ],
  'a command': [(sidecar) => (sidecar['command'] = ['sh'] as never), 'command'],
  'other arguments': [(sidecar) => (sidecar['args'] = ['/x.js'] as never)],
  'another image': [(sidecar) => (sidecar['image'] = 'evil.example/x')],
  'an image of the node': [(sidecar) => (sidecar['imagePullPolicy'] = 'Never'), 'imagePullPolicy'],
  'another folder': [(sidecar) => (sidecar['workingDir'] = '/tmp'), 'workingDir'],
  'a hook after the start': [(sidecar) => (sidecar['lifecycle'] = { postStart: shell }), 'lifecycle'],
  'a hook before the stop': [(sidecar) => (sidecar['lifecycle'] = { preStop: shell }), 'lifecycle'],
  'a port of the node': [(sidecar) => (sidecar['ports'] = [{ containerPort: 1, hostPort: 1 }] as never), 'ports'],
  'a device': [
    (sidecar) => (sidecar['volumeDevices'] = [{ name: 'x', devicePath: '/dev/x' }] as never),
    'volumeDevices',
  ],
  'an input': [(sidecar) => Object.assign(sidecar, { stdin: true, tty: true }), 'stdin, tty'],
  'another place for its last words': [
    (sidecar) => (sidecar['terminationMessagePath'] = '/mnt/secrets/db-password'),
    'terminationMessagePath',
  ],
  'logs as last words': [
    (sidecar) => (sidecar['terminationMessagePolicy'] = 'FallbackToLogsOnError'),
    'terminationMessagePolicy',
  ],
  'a dropped capability without a name': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL', ''] } }),
  ],
  'no restart': [(sidecar) => delete sidecar['restartPolicy']],
  'rules of restart': [
    (sidecar) => (sidecar['restartPolicyRules'] = [{ action: 'Restart' }] as never),
    'restartPolicyRules',
  ],
  'a restart at each resize': [
    (sidecar) => (sidecar['resizePolicy'] = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] as never),
    'resizePolicy',
  ],
  'a restart at a resize of one kind': [
    (sidecar) =>
      (sidecar['resizePolicy'] = [
        { resourceName: 'cpu', restartPolicy: 'NotRequired' },
        { resourceName: 'memory', restartPolicy: 'RestartContainer' },
      ] as never),
    'resizePolicy',
  ],
  'no startup probe': [(sidecar) => delete sidecar['startupProbe']],
  'a startup probe that always succeeds': [(sidecar) => (sidecar['startupProbe'] = shell)],
  'a probe of another port': [
    (sidecar) => Object.assign((sidecar['startupProbe'] as Item)['httpGet'] as Item, { port: 1 }),
  ],
  'a probe of another host': [
    (sidecar) => Object.assign((sidecar['livenessProbe'] as Item)['httpGet'] as Item, { host: 'evil.example' }),
  ],
  'a probe that a mesh would rewrite, without one': [
    (sidecar) =>
      Object.assign((sidecar['livenessProbe'] as Item)['httpGet'] as Item, {
        path: '/app-health/akv-injector/livez',
        port: 15020,
      }),
  ],
  'a readiness probe': [(sidecar) => (sidecar['readinessProbe'] = shell), 'readinessProbe'],
  'a short grace period': [
    (sidecar) => Object.assign(sidecar['livenessProbe'] as Item, { terminationGracePeriodSeconds: 1 }),
  ],
  'more memory': [
    (sidecar) =>
      (sidecar['resources'] = { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '250m', memory: '8Gi' } }),
    'limits.memory',
  ],
  'storage of its own': [
    (sidecar) => Object.assign((sidecar['resources'] as Item)['limits'] as Item, { 'ephemeral-storage': '1Gi' }),
    'limits.ephemeral-storage',
  ],
  claims: [(sidecar) => Object.assign(sidecar['resources'] as Item, { claims: [{ name: 'gpu' }] })],
  root: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { runAsUser: 0, runAsNonRoot: false })],
  escalation: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { allowPrivilegeEscalation: true })],
  'a writable root': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { readOnlyRootFilesystem: false }),
  ],
  'all capabilities': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: {} })],
  'no seccomp': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { seccompProfile: { type: 'Unconfined' } }),
  ],
  'no AppArmor': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { appArmorProfile: { type: 'Unconfined' } }),
  ],
  SELinux: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { seLinuxOptions: { type: 'spc_t' } })],
  'an unmasked /proc': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { procMount: 'Unmasked' })],
  'a mount of another volume': [
    (sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'scratch', mountPath: '/app' }),
    'mount /app',
  ],
  'a mount where the workload identity webhook has its own': [
    (sidecar) =>
      listOf(sidecar, 'volumeMounts').push({ name: 'scratch', mountPath: '/var/run/secrets/azure/x', readOnly: true }),
    'mount /var/run/secrets/azure/x',
  ],
  'a projected volume over the program': [
    (sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'made-up', mountPath: '/app', readOnly: true }),
    'mount /app',
  ],
  'a writable mount where the workload identity webhook has its own': [
    (sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'made-up', mountPath: '/var/run/secrets/azure/x' }),
    'mount /var/run/secrets/azure/x',
  ],
  'a part of a volume where the workload identity webhook has its own': [
    (sidecar) =>
      listOf(sidecar, 'volumeMounts').push({
        name: 'made-up',
        mountPath: '/var/run/secrets/azure/x',
        readOnly: true,
        subPath: 'x',
      }),
    'mount /var/run/secrets/azure/x',
  ],
  'secrets elsewhere': [
    (sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[0]!, { mountPath: '/elsewhere' }),
    'mount /elsewhere',
  ],
  'a part of a volume': [(sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[1]!, { subPath: 'x' })],
  'mounts that propagate': [
    (sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[0]!, { mountPropagation: 'Bidirectional' }),
  ],
  'fields that do not exist yet': [(sidecar) => (sidecar['futureField'] = 'x'), 'futureField'],
  'a token for somebody else': [
    (_, spec) =>
      (volumeOf(spec, 'token')['projected'] = {
        sources: [{ serviceAccountToken: { audience: 'api', expirationSeconds: 3600, path: 'token' } }],
      }),
  ],
  'a token that lives longer': [
    (_, spec) =>
      Object.assign(
        ((volumeOf(spec, 'token')['projected'] as Item)['sources'] as Item[])[0]!['serviceAccountToken'] as Item,
        { expirationSeconds: 86400 },
      ),
  ],
  'a token that everybody may write': [
    (_, spec) => Object.assign(volumeOf(spec, 'token')['projected'] as Item, { defaultMode: 0o777 }),
  ],
  'a token from a Secret': [
    (_, spec) =>
      Object.assign(spec.volumes, {
        [spec.volumes.indexOf(volumeOf(spec, 'token'))]: { name: 'akv-injector-token', secret: { secretName: 'x' } },
      }),
  ],
  'annotations from a ConfigMap': [
    (_, spec) =>
      Object.assign(spec.volumes, {
        [spec.volumes.indexOf(volumeOf(spec, 'podinfo'))]: { name: 'akv-injector-podinfo', configMap: { name: 'x' } },
      }),
  ],
  'other annotations': [
    (_, spec) =>
      Object.assign(listOf(volumeOf(spec, 'podinfo')['downwardAPI'] as Item, 'items')[0]!, {
        fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.labels' },
      }),
  ],
  'one more annotation': [
    (_, spec) =>
      listOf(volumeOf(spec, 'podinfo')['downwardAPI'] as Item, 'items').push({
        path: 'x',
        fieldRef: { fieldPath: 'metadata.uid' },
      }),
  ],
  'secrets on the disk': [(_, spec) => (volumeOf(spec, 'secrets')['emptyDir'] = {})],
  'secrets on a claim': [
    (_, spec) =>
      Object.assign(spec.volumes, {
        [spec.volumes.indexOf(volumeOf(spec, 'secrets'))]: {
          name: 'akv-injector-secrets',
          persistentVolumeClaim: { claimName: 'x' },
        },
      }),
  ],
  'room without an end': [
    (_, spec) => (volumeOf(spec, 'secrets')['emptyDir'] = { medium: 'Memory', sizeLimit: '64Gi' }),
  ],
  'a volume that is not needed': [(_, spec) => spec.volumes.push({ name: 'akv-injector-run', emptyDir: {} })],
  'a container that is not needed': [
    (sidecar, spec) => spec.containers.push({ ...sidecar, name: 'akv-injector-init', image: 'evil.example/x' }),
  ],
}

void t.test('forged sidecar: an edit is undone, and a removal causes a warning', async (t) => {
  for (const [name, [edit, removed]] of Object.entries(undone)) {
    const forged = exportOf(original)
    edit(sidecarOf(forged.spec), forged.spec)
    const decision = decide(forged, planInputs())
    if (decision.kind !== 'inject') throw new Error(`${name}: ${JSON.stringify(decision)}`)
    t.strictSame(oursIn(inOrder(withDefaults(decision.pod))), wanted, name)
    const removals = decision.warnings.filter(({ reason }) => reason === 'removed-additions').map(({ text }) => text)
    t.strictSame(removals, removed === undefined ? [] : [`removed from akv-injector: ${removed}`], `${name}: told`)
    t.match(decide(decision.pod, planInputs()), { kind: 'skip', reason: 'already-injected' }, `${name}: once`)
  }
})
