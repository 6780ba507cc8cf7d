import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { decide, type Decision } from '../../webhook/decide.ts'
import type { Surroundings } from '../../webhook/plan.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { inOrder, oursIn, withDefaults, withMesh, withWorkloadIdentity } from '../webhook/api-server.ts'
import { annotated } from '../webhook/review-app.ts'
import { configurationOf, surroundings } from '../webhook/setting.ts'

/*
 * The attack: an injected pod is exported, edited and created again, so that it passes for one that has been reviewed. Whatever was
 * edited about our containers and volumes, the pod is denied, or they are as a new pod would get them.
 */
type Item = Record<string, unknown> & { name?: string }
type Spec = Record<string, Item[]> & { initContainers: Item[]; containers: Item[]; volumes: Item[] }

function injected(pod: unknown, changes: Partial<Surroundings> = {}): Pod {
  const decision = decide(pod, surroundings(changes))
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  return decision.pod
}

const exportOf = (pod: Pod): { metadata: { annotations: Record<string, string> }; spec: Spec } =>
  structuredClone(withDefaults(pod)) as never
const sidecarOf = ({ initContainers }: Spec): Item => initContainers.find(({ name }) => name === 'akv-injector')!
const volumeOf = ({ volumes }: Spec, name: string): Item => volumes.find((volume) => volume.name === `akv-injector-${name}`)! // prettier-ignore
const listOf = (item: Item, field: string): Item[] => (item[field] ??= []) as Item[]

const original = injected(annotated({}, { volumes: [{ name: 'host', hostPath: { path: '/' } }, { name: 'scratch', emptyDir: {} }] })) // prettier-ignore
const wanted = oursIn(inOrder(withDefaults(original)))
const settings = (text: string): object => ({ name: 'AKV_INJECTOR_SETTINGS', value: text })
const shell = { exec: { command: ['sh', '-c', 'true'] } }

/** Edits of the sidecar that are undone; the text is what a warning names, if something was removed. */
const undone: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, removed?: string]> = {
  'other settings': [(sidecar) => Object.assign(listOf(sidecar, 'env')[0]!, { value: 'e30' })],
  'an identity of its own': [(sidecar) => Object.assign(listOf(sidecar, 'env').find(({ name }) => name === 'AZURE_CLIENT_ID')!, { value: 'x' })], // prettier-ignore
  'an authority of its own': [(sidecar) => Object.assign(listOf(sidecar, 'env').find(({ name }) => name === 'AZURE_AUTHORITY_HOST')!, { value: 'https://evil.example/' })], // prettier-ignore
  'NODE_OPTIONS': [(sidecar) => listOf(sidecar, 'env').push({ name: 'NODE_OPTIONS', value: '--require /x' }), 'variable NODE_OPTIONS'], // prettier-ignore
  'a token proxy': [(sidecar) => listOf(sidecar, 'env').push({ name: 'AZURE_KUBERNETES_TOKEN_PROXY', value: 'https://evil.example' }), 'variable AZURE_KUBERNETES_TOKEN_PROXY'], // prettier-ignore
  'a proxy': [(sidecar) => listOf(sidecar, 'env').push({ name: 'HTTPS_PROXY', value: 'http://evil.example' }), 'variable HTTPS_PROXY'], // prettier-ignore
  'variables from elsewhere': [(sidecar) => (sidecar['envFrom'] = [{ configMapRef: { name: 'x' } }] as never), 'envFrom'], // prettier-ignore
  'a command': [(sidecar) => (sidecar['command'] = ['sh'] as never), 'command'],
  'other arguments': [(sidecar) => (sidecar['args'] = ['/x.js'] as never)],
  'another image': [(sidecar) => (sidecar['image'] = 'evil.example/x')],
  'an image of the node': [(sidecar) => (sidecar['imagePullPolicy'] = 'Never'), 'imagePullPolicy'],
  'another folder': [(sidecar) => (sidecar['workingDir'] = '/tmp'), 'workingDir'],
  'a hook after the start': [(sidecar) => (sidecar['lifecycle'] = { postStart: shell }), 'lifecycle'],
  'a hook before the stop': [(sidecar) => (sidecar['lifecycle'] = { preStop: shell }), 'lifecycle'],
  'a port of the node': [(sidecar) => (sidecar['ports'] = [{ containerPort: 1, hostPort: 1 }] as never), 'ports'],
  'a device': [(sidecar) => (sidecar['volumeDevices'] = [{ name: 'x', devicePath: '/dev/x' }] as never), 'volumeDevices'], // prettier-ignore
  'an input': [(sidecar) => Object.assign(sidecar, { stdin: true, tty: true }), 'stdin, tty'],
  'another place for its last words': [
    (sidecar) => (sidecar['terminationMessagePath'] = '/mnt/secrets/db-password'),
    'terminationMessagePath',
  ],
  'logs as last words': [
    (sidecar) => (sidecar['terminationMessagePolicy'] = 'FallbackToLogsOnError'),
    'terminationMessagePolicy',
  ],
  'no restart': [(sidecar) => delete sidecar['restartPolicy']],
  'rules of restart': [(sidecar) => (sidecar['restartPolicyRules'] = [{ action: 'Restart' }] as never), 'restartPolicyRules'], // prettier-ignore
  'a restart at each resize': [(sidecar) => (sidecar['resizePolicy'] = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] as never), 'resizePolicy'], // prettier-ignore
  'no startup probe': [(sidecar) => delete sidecar['startupProbe']],
  'a startup probe that always succeeds': [(sidecar) => (sidecar['startupProbe'] = shell)],
  'a probe of another port': [(sidecar) => Object.assign((sidecar['startupProbe'] as Item)['httpGet'] as Item, { port: 1 })], // prettier-ignore
  'a probe of another host': [(sidecar) => Object.assign((sidecar['livenessProbe'] as Item)['httpGet'] as Item, { host: 'evil.example' })], // prettier-ignore
  'a probe that a mesh would rewrite, without one': [(sidecar) => Object.assign((sidecar['livenessProbe'] as Item)['httpGet'] as Item, { path: '/app-health/akv-injector/livez', port: 15020 })], // prettier-ignore
  'a readiness probe': [(sidecar) => (sidecar['readinessProbe'] = shell), 'readinessProbe'],
  'a short grace period': [(sidecar) => Object.assign(sidecar['livenessProbe'] as Item, { terminationGracePeriodSeconds: 1 })], // prettier-ignore
  'more memory': [(sidecar) => (sidecar['resources'] = { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '250m', memory: '8Gi' } }), 'limits.memory'], // prettier-ignore
  'storage of its own': [(sidecar) => Object.assign((sidecar['resources'] as Item)['limits'] as Item, { 'ephemeral-storage': '1Gi' }), 'limits.ephemeral-storage'], // prettier-ignore
  claims: [(sidecar) => Object.assign(sidecar['resources'] as Item, { claims: [{ name: 'gpu' }] })],
  root: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { runAsUser: 0, runAsNonRoot: false })],
  escalation: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { allowPrivilegeEscalation: true })],
  'a writable root': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { readOnlyRootFilesystem: false }),
  ],
  'all capabilities': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: {} })],
  'no seccomp': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { seccompProfile: { type: 'Unconfined' } })], // prettier-ignore
  'no AppArmor': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { appArmorProfile: { type: 'Unconfined' } })], // prettier-ignore
  SELinux: [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { seLinuxOptions: { type: 'spc_t' } })],
  'an unmasked /proc': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { procMount: 'Unmasked' })],
  'a mount of another volume': [(sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'scratch', mountPath: '/app' }), 'mount /app'], // prettier-ignore
  'a mount where the workload identity webhook has its own': [(sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'scratch', mountPath: '/var/run/secrets/azure/x', readOnly: true }), 'mount /var/run/secrets/azure/x'], // prettier-ignore
  'secrets elsewhere': [(sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[0]!, { mountPath: '/elsewhere' }), 'mount /elsewhere'], // prettier-ignore
  'a part of a volume': [(sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[1]!, { subPath: 'x' })],
  'mounts that propagate': [(sidecar) => Object.assign(listOf(sidecar, 'volumeMounts')[0]!, { mountPropagation: 'Bidirectional' })], // prettier-ignore
  'fields that do not exist yet': [(sidecar) => (sidecar['futureField'] = 'x'), 'futureField'],
  'a token for somebody else': [(_, spec) => (volumeOf(spec, 'token')['projected'] = { sources: [{ serviceAccountToken: { audience: 'api', expirationSeconds: 3600, path: 'token' } }] })], // prettier-ignore
  'a token that lives longer': [(_, spec) => Object.assign((((volumeOf(spec, 'token')['projected'] as Item)['sources'] as Item[])[0]!)['serviceAccountToken'] as Item, { expirationSeconds: 86400 })], // prettier-ignore
  'a token that everybody may write': [(_, spec) => Object.assign(volumeOf(spec, 'token')['projected'] as Item, { defaultMode: 0o777 })], // prettier-ignore
  'a token from a Secret': [(_, spec) => Object.assign(spec.volumes, { [spec.volumes.indexOf(volumeOf(spec, 'token'))]: { name: 'akv-injector-token', secret: { secretName: 'x' } } })], // prettier-ignore
  'annotations from a ConfigMap': [(_, spec) => Object.assign(spec.volumes, { [spec.volumes.indexOf(volumeOf(spec, 'podinfo'))]: { name: 'akv-injector-podinfo', configMap: { name: 'x' } } })], // prettier-ignore
  'other annotations': [(_, spec) => Object.assign(listOf(volumeOf(spec, 'podinfo')['downwardAPI'] as Item, 'items')[0]!, { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.labels' } })], // prettier-ignore
  'one more annotation': [(_, spec) => listOf(volumeOf(spec, 'podinfo')['downwardAPI'] as Item, 'items').push({ path: 'x', fieldRef: { fieldPath: 'metadata.uid' } })], // prettier-ignore
  'secrets on the disk': [(_, spec) => (volumeOf(spec, 'secrets')['emptyDir'] = {})],
  'secrets on a claim': [(_, spec) => Object.assign(spec.volumes, { [spec.volumes.indexOf(volumeOf(spec, 'secrets'))]: { name: 'akv-injector-secrets', persistentVolumeClaim: { claimName: 'x' } } })], // prettier-ignore
  'room without an end': [(_, spec) => (volumeOf(spec, 'secrets')['emptyDir'] = { medium: 'Memory', sizeLimit: '64Gi' })], // prettier-ignore
  'a volume that is not needed': [(_, spec) => spec.volumes.push({ name: 'akv-injector-run', emptyDir: {} })],
  'a container that is not needed': [(sidecar, spec) => spec.containers.push({ ...sidecar, name: 'akv-injector-init', image: 'evil.example/x' })], // prettier-ignore
}

const second = { name: 'akv-injector', image: 'evil.example/x' }

/** Edits of the sidecar that are denied. */
const denied: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, text: string]> = {
  'settings twice': [(sidecar) => listOf(sidecar, 'env').push(settings('e30') as Item), 'container "akv-injector" has the variable AKV_INJECTOR_SETTINGS twice: remove it, the injector adds its own'], // prettier-ignore
  'settings twice, first': [(sidecar) => listOf(sidecar, 'env').unshift(settings('e30') as Item), 'container "akv-injector" has the variable AKV_INJECTOR_SETTINGS twice: remove it, the injector adds its own'], // prettier-ignore
  'an identity twice': [(sidecar) => listOf(sidecar, 'env').push({ name: 'AZURE_CLIENT_ID', value: 'x' }), 'container "akv-injector" has the variable AZURE_CLIENT_ID twice: remove it, the injector adds its own'], // prettier-ignore
  'settings from elsewhere': [(sidecar) => (listOf(sidecar, 'env')[0] = { name: 'AKV_INJECTOR_SETTINGS', valueFrom: { configMapKeyRef: { name: 'x', key: 'y' } } }), 'the pod has a container "akv-injector", which is the injector\'s own name: choose another one'], // prettier-ignore
  'two sidecars': [(_, spec) => spec.initContainers.push(second), 'the pod has two containers "akv-injector": remove it, the injector adds its own'], // prettier-ignore
  'two sidecars, one beside the app': [(_, spec) => spec.containers.push(second), 'the pod has two containers "akv-injector": remove it, the injector adds its own'], // prettier-ignore
  'two sidecars, one ephemeral': [(_, spec) => (spec['ephemeralContainers'] = [second]), 'the pod has two containers "akv-injector": remove it, the injector adds its own'], // prettier-ignore
  'two volumes': [(_, spec) => spec.volumes.push({ name: 'akv-injector-token', emptyDir: {} }), 'the pod has two volumes "akv-injector-token": remove it, the injector adds its own'], // prettier-ignore
  'privileged': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { privileged: true }), 'container "akv-injector" is privileged: remove it, the injector adds its own'], // prettier-ignore
  'a capability': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } }), 'container "akv-injector" has the capability "SYS_ADMIN": remove it, the injector adds its own'], // prettier-ignore
  'the capability that is ours only on request': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL'], add: ['KILL'] } }), 'container "akv-injector" has the capability "KILL": remove it, the injector adds its own'], // prettier-ignore
  'a path of the node': [(sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'host', mountPath: '/host' }), 'container "akv-injector" mounts a path of the node at "/host": remove it, the injector adds its own'], // prettier-ignore
  'a path of the node under our name': [(_, spec) => Object.assign(spec.volumes, { [spec.volumes.indexOf(volumeOf(spec, 'podinfo'))]: { name: 'akv-injector-podinfo', hostPath: { path: '/etc' } } }), 'volume "akv-injector-podinfo" is a path of the node: remove it, the injector adds its own'], // prettier-ignore
  'a path of the node under a name that is not needed': [(_, spec) => spec.volumes.push({ name: 'akv-injector-run', hostPath: { path: '/run' } }), 'volume "akv-injector-run" is a path of the node: remove it, the injector adds its own'], // prettier-ignore
  'an app that reads the token': [(_, spec) => listOf(spec.containers[0]!, 'volumeMounts').push({ name: 'akv-injector-token', mountPath: '/x' }), 'container "app" mounts akv-injector-token, which is the sidecar\'s alone: remove the mount'], // prettier-ignore
  'an app that reads the annotations': [(_, spec) => listOf(spec.containers[0]!, 'volumeMounts').push({ name: 'akv-injector-podinfo', mountPath: '/x', readOnly: true }), 'container "app" mounts akv-injector-podinfo, which is the sidecar\'s alone: remove the mount'], // prettier-ignore
  'an app that writes secrets': [(_, spec) => Object.assign(listOf(spec.containers[0]!, 'volumeMounts')[0]!, { readOnly: false }), 'container "app" mounts akv-injector-secrets at "/mnt/secrets": that needs readOnly: true'], // prettier-ignore
  'an app that writes secrets elsewhere': [(_, spec) => listOf(spec.containers[0]!, 'volumeMounts').push({ name: 'akv-injector-secrets', mountPath: '/x' }), 'container "app" mounts akv-injector-secrets at "/x": that needs readOnly: true'], // prettier-ignore
  'an app whose mounts propagate': [(_, spec) => Object.assign(listOf(spec.containers[0]!, 'volumeMounts')[0]!, { mountPropagation: 'Bidirectional' }), 'container "app" mounts akv-injector-secrets with mountPropagation: Bidirectional: remove that field'], // prettier-ignore
} // prettier-ignore

void t.test('a forged sidecar: what was edited is undone', async (t) => {
  for (const [name, [edit, removed]] of Object.entries(undone)) {
    const forged = exportOf(original)
    edit(sidecarOf(forged.spec), forged.spec)
    const decision = decide(forged, surroundings())
    if (decision.kind !== 'inject') throw new Error(`${name}: ${JSON.stringify(decision)}`)
    t.strictSame(oursIn(inOrder(withDefaults(decision.pod))), wanted, name)
    const removals = decision.warnings.filter(({ reason }) => reason === 'removed-additions').map(({ text }) => text)
    t.strictSame(removals, removed === undefined ? [] : [`removed from akv-injector: ${removed}`], `${name}: told`)
    t.match(decide(decision.pod, surroundings()), { kind: 'skip', reason: 'already-injected' }, `${name}: once`)
  }
})

void t.test('a forged sidecar: what no injector adds is denied', async (t) => {
  for (const [name, [edit, text]] of Object.entries(denied)) {
    const forged = exportOf(original)
    edit(sidecarOf(forged.spec), forged.spec)
    const decision = decide(forged, surroundings())
    t.match(decision, { kind: 'deny' }, name)
    t.ok((decision as Extract<Decision, { kind: 'deny' }>).problems.some((one) => one.reason === 'clash' && one.text === text), `${name}: ${JSON.stringify(decision)}`) // prettier-ignore
  }
  const fresh = annotated({}, { containers: [{ name: 'app', volumeMounts: [{ name: 'akv-injector-token', mountPath: '/x' }] }] }) // prettier-ignore
  t.match(decide(fresh, surroundings()), { kind: 'deny', problems: [{ reason: 'clash' }] }, 'a new pod may not either')
  const joining = annotated({}, { ephemeralContainers: [second] })
  t.match(decide(joining, surroundings()), { kind: 'deny', problems: [{ reason: 'clash', text: /ephemeral/ }] })
})

void t.test('a forged sidecar: annotations, a mount and a policy are those of today', async (t) => {
  for (const name of ['status', 'version']) {
    const forged = exportOf(original)
    forged.metadata.annotations[`azure.keyvault.injector/${name}`] = 'x'
    const decision = decide(forged, surroundings())
    t.match(decision, { kind: 'inject', pod: { metadata: { annotations: original.metadata?.annotations } } }, name)
  }
  const agent = annotated({}, { containers: [{ name: 'app' }, { name: 'agent' }] })
  const known = configurationOf({ knownSidecars: ['agent'] })
  const later = decide(withDefaults(injected(agent)), surroundings({ configuration: known }))
  t.notMatch(JSON.stringify((later as { pod?: Pod }).pod?.spec.containers?.[1]), /akv-injector-secrets/, 'the mounts that settings claim are those of the policy') // prettier-ignore
})

void t.test('additions of the API server and known injectors stay, and nothing is said of them', async (t) => {
  const limitRanges = [{ name: 'x', type: 'Container' as const, default: { 'ephemeral-storage': '1Gi' }, defaultRequest: { 'ephemeral-storage': '512Mi' } }] // prettier-ignore
  const kept: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, changes?: Partial<Surroundings>]> = {
    "a LimitRange's defaults": [(sidecar) => (sidecar['resources'] = { requests: { cpu: '10m', memory: '48Mi', 'ephemeral-storage': '0.5Gi' }, limits: { cpu: '0.25', memory: '128Mi', 'ephemeral-storage': '1Gi' } }), { limitRanges }], // prettier-ignore
    AlwaysPullImages: [(sidecar) => (sidecar['imagePullPolicy'] = 'Always')],
    'a resize policy by default': [(sidecar) => (sidecar['resizePolicy'] = [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }, { resourceName: 'memory', restartPolicy: 'NotRequired' }] as never)], // prettier-ignore
    'the default of procMount': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { procMount: 'Default' })], // prettier-ignore
    'further capabilities dropped': [(sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL', 'MKNOD'] } })], // prettier-ignore
  }
  for (const [name, [edit, changes]] of Object.entries(kept)) {
    const pod = exportOf(original)
    edit(sidecarOf(pod.spec), pod.spec)
    t.strictSame(decide(pod, surroundings(changes)), { kind: 'skip', reason: 'already-injected', warnings: [] }, name)
  }
  const rewritten = (proxy: string, port: number, paths: [startup: string, live: string], annotations: object = {}) => {
    const pod = exportOf(original)
    Object.assign(pod.metadata.annotations, annotations)
    pod.spec.initContainers.unshift({ name: proxy, restartPolicy: 'Always' })
    for (const [index, probe] of (['startupProbe', 'livenessProbe'] as const).entries())
      Object.assign((sidecarOf(pod.spec)[probe] as Item)['httpGet'] as Item, { path: paths[index], port })
    return decide(pod, surroundings()).kind
  }
  const istio: [string, string] = ['/app-health/akv-injector/startupz', '/app-health/akv-injector/livez']
  const kuma: [string, string] = ['/20471/startupz', '/20471/livez']
  t.equal(rewritten('istio-proxy', 15020, istio), 'skip', 'probes through Istio')
  t.equal(rewritten('istio-proxy', 15999, istio, { 'status.sidecar.istio.io/port': '15999' }), 'skip', 'at a port of its own') // prettier-ignore
  t.equal(rewritten('istio-proxy', 15999, istio), 'inject', 'and at no other port')
  t.equal(rewritten('istio-proxy', 15020, istio, { 'status.sidecar.istio.io/port': '15999' }), 'inject')
  t.equal(rewritten('istio-proxy', 15020, istio.toReversed() as [string, string]), 'inject', 'each at its own path')
  t.equal(rewritten('kuma-sidecar', 9001, kuma), 'skip', 'probes through Kuma')
  t.equal(rewritten('kuma-sidecar', 9000, kuma), 'skip', 'and through an older one')
  t.equal(rewritten('kuma-sidecar', 15020, istio), 'inject', "but not by another mesh's")

  const meshed = withDefaults(withMesh(withWorkloadIdentity(original)))
  t.strictSame(decide(meshed, surroundings()), { kind: 'skip', reason: 'already-injected', warnings: [] })
  // What is known stays while what is not known goes.
  const watched = exportOf(meshed)
  listOf(sidecarOf(watched.spec), 'env').push({ name: 'X', value: 'x' })
  const decision = decide(watched, surroundings())
  t.match(decision, { kind: 'inject', warnings: [{ text: 'removed from akv-injector: variable X' }] })
  t.strictSame(oursIn(inOrder((decision as { pod: Pod }).pod)), oursIn(inOrder(meshed)))
})

void t.test('a forged sidecar: any edit at all is undone or denied', async (t) => {
  const changed: Record<string, number> = {}
  const place = fc.array(fc.nat(), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(fc.nat(), place, fc.jsonValue({ maxDepth: 2 }), (which, path, value) => {
      const forged = exportOf(original)
      const { containers, volumes } = oursIn(forged)
      const items = [...containers, ...volumes]
      edit(items[which % items.length]!, path, value)
      const decision = decide(forged, surroundings())
      changed[decision.kind] = (changed[decision.kind] ?? 0) + 1
      if (decision.kind === 'deny') return
      const result = decision.kind === 'inject' ? decision.pod : forged
      const same = isDeepStrictEqual(oursIn(inOrder(withDefaults(result))), wanted)
      if (!same) throw new Error(`${decision.kind}: ${JSON.stringify(oursIn(forged))}`)
    }),
    { numRuns: 1000 },
  )
  t.ok((changed['inject'] ?? 0) > 100, JSON.stringify(changed))
})

/** Replaces, adds or removes something inside an item, down a path of numbers. */
function edit(item: object, [first = 0, ...rest]: readonly number[], value: unknown): void {
  const parent = item as Record<string, unknown>
  const keys = Object.keys(parent).filter((key) => key !== 'name')
  const key = keys[first % Math.max(1, keys.length)]
  const inner = key === undefined ? undefined : parent[key]
  if (typeof inner === 'object' && inner !== null && rest.length > 0 && first % 5 !== 0) return edit(inner, rest, value)
  if (key === undefined || first % 3 === 0)
    parent[Array.isArray(item) ? String(keys.length) : `future${first % 7}`] = value // prettier-ignore
  else if (first % 3 === 1 && !Array.isArray(item)) delete parent[key]
  else parent[key] = value
}
