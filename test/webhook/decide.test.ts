import t from 'tap'
import { settingsVariable } from '../../shared/names.ts'
import { encodeSettings, type Settings } from '../../shared/settings.ts'
import { decide, type Decision } from '../../webhook/decide.ts'
import type { Surroundings } from '../../webhook/plan.ts'
import type { Limits } from '../../webhook/pod/limit-range.ts'
import type { Container, Pod } from '../../webhook/pod/pod.ts'
import { makeAuthority } from '../emulator/tls.ts'
import { withDefaults } from './api-server.ts'
import { annotated } from './review-app.ts'
import { clientId, configurationOf, surroundings } from './setting.ts'

type Injected = Extract<Decision, { kind: 'inject' }>

function injected(pod: unknown, changes: Partial<Surroundings> = {}): Injected {
  const decision = decide(pod, surroundings(changes))
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  return decision
}

const problemsOf = (pod: unknown, changes: Partial<Surroundings> = {}): string[] => {
  const decision = decide(pod, surroundings(changes))
  return decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : [decision.kind]
}
const warningsOf = (pod: unknown, changes: Partial<Surroundings> = {}): string[] =>
  decide(pod, surroundings(changes)).warnings.map(({ text }) => text)
const sidecarOf = ({ pod }: Injected) => pod.spec.initContainers?.find(({ name }) => name === 'akv-injector') as Container & Record<string, unknown> // prettier-ignore
const app = (fields: object) => ({ containers: [{ name: 'app', image: 'a', ...fields }] })

void t.test('each problem has its sentence', async (t) => {
  const rules = (vaults: object[]) => ({ configuration: configurationOf({ vaults }) })
  const cases: Record<string, [unknown, Partial<Surroundings>, string]> = {
    'Windows by os': [annotated({}, { os: { name: 'windows' } }), {}, 'windows: the pod is for Windows nodes, which are not supported: its secrets would never arrive'], // prettier-ignore
    'Windows by node selector': [annotated({}, { nodeSelector: { 'kubernetes.io/os': 'windows' } }), {}, 'windows: the pod is for Windows nodes, which are not supported: its secrets would never arrive'], // prettier-ignore
    'a container with our name': [annotated({}, { initContainers: [{ name: 'akv-injector' }] }), {}, 'clash: the pod has a container "akv-injector", which is the injector\'s own name: choose another one'], // prettier-ignore
    'a volume with our name': [annotated({}, { volumes: [{ name: 'akv-injector-run' }] }), {}, 'clash: the pod has a volume "akv-injector-run", which is the injector\'s own name: choose another one'], // prettier-ignore
    'a mount where ours goes': [annotated({}, app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/secrets/' }] })), {}, 'clash: container "app" has volume "x" at "/mnt/secrets", where the secrets would be: choose another mount-path'], // prettier-ignore
    'a volume of the CSI driver left behind': [annotated({ 'mount-path': '/mnt/store' }, { ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store', readOnly: true }] }), volumes: [{ name: 'x', csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } }] }), {}, 'clash: container "app" has volume "x" at "/mnt/store", where the secrets would be: remove this volume of the Secrets Store CSI driver and its mounts, since the injector brings the secrets'], // prettier-ignore
    'a volume of the CSI driver around ours': [annotated({ 'mount-path': '/mnt/store/web' }, { ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store', readOnly: true }] }), volumes: [{ name: 'x', csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } }] }), {}, 'clash: container "app" has volume "x" at "/mnt/store", which is read-only, so that the folder "/mnt/store/web" cannot be made in it: remove this volume of the Secrets Store CSI driver and its mounts, since the injector brings the secrets'], // prettier-ignore
    'a volume of another CSI driver': [annotated({ 'mount-path': '/mnt/store' }, { ...app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/store' }] }), volumes: [{ name: 'x', csi: { driver: 'disk.csi.azure.com' } }] }), {}, 'clash: container "app" has volume "x" at "/mnt/store", where the secrets would be: choose another mount-path'], // prettier-ignore
    'a mount inside ours': [annotated({}, app({ volumeMounts: [{ name: 'x', mountPath: '/mnt/secrets/ca' }] })), {}, 'clash: container "app" has volume "x" at "/mnt/secrets/ca", inside "/mnt/secrets", which is read-only: choose another mount-path'], // prettier-ignore
    'a device where ours goes': [annotated({}, app({ volumeDevices: [{ name: 'x', devicePath: '/mnt/secrets' }] })), {}, 'clash: container "app" has a device at "/mnt/secrets", where the secrets would be: choose another mount-path'], // prettier-ignore
    'our volume, writable': [annotated({}, app({ volumeMounts: [{ name: 'akv-injector-secrets', mountPath: '/x' }] })), {}, 'clash: container "app" mounts akv-injector-secrets at "/x": that needs readOnly: true'], // prettier-ignore
    'a mount path of the runtime': [annotated({ 'mount-path': '/proc/x' }), {}, 'clash: mount path "/proc/x" belongs to the container runtime: choose another mount-path'], // prettier-ignore
    'signal with hostPID': [annotated({ signal: 'SIGHUP' }, { hostPID: true }), {}, 'signal: signal needs a process namespace shared by the pod alone, and the pod has hostPID: true'], // prettier-ignore
    'signal without sharing': [annotated({ signal: 'SIGHUP' }, { shareProcessNamespace: false }), {}, 'signal: signal needs a shared process namespace, and the pod has shareProcessNamespace: false'], // prettier-ignore
    'signal to one of several': [annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'a' }, { name: 'b' }] }), {}, 'signal: signal could go to any of a, b: name one in the annotation azure.keyvault.injector/signal-container'], // prettier-ignore
    'signal to nobody': [annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'istio-proxy' }] }), {}, 'signal: signal has no container to go to'], // prettier-ignore
    'signal to an unknown container': [annotated({ signal: 'SIGHUP', 'signal-container': 'ap' }), {}, 'unknown-container: annotation azure.keyvault.injector/signal-container: there is no running container "ap" (did you mean "app"?); the pod has app'], // prettier-ignore
    'cap-kill where restricted': [annotated({ signal: 'SIGHUP', 'signal-permission': 'cap-kill' }), { namespace: { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} } }, 'user-id: signal-permission cap-kill: the namespace enforces Pod Security restricted, which refuses the capability KILL; use same-user with run-as-user'], // prettier-ignore
    'root where restricted': [annotated({ signal: 'SIGHUP', 'run-as-user': '0' }), { namespace: { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} } }, 'user-id: the sidecar would run as user 0 to signal a process of user 0: the namespace enforces Pod Security restricted, which refuses that; set runAsUser and run-as-user to another one'], // prettier-ignore
    'root without a signal': [annotated({ 'run-as-user': '0' }), {}, 'user-id: run-as-user 0: the sidecar runs as root only to signal a process of root'], // prettier-ignore
    'native on old kubelets': [annotated({ mode: 'native' }), { oldestKubelet: 'v1.28.15' }, 'mode: mode native needs kubelets from 1.29 on; the oldest here is v1.28.15'], // prettier-ignore
    'a request above the limit': [annotated({ 'request-memory': '1Gi' }), {}, "resources: the sidecar's memory request of 1Gi is more than its limit of 128Mi: set request-memory and limit-memory together"], // prettier-ignore
    'a LimitRange that refuses the sidecar': [annotated(), { limitRanges: [{ name: 'small', type: 'Container', max: { cpu: '100m', memory: '1Gi' } }] }, 'resources: LimitRange "small" allows a container 100m of cpu at most, and the sidecar\'s limit is 250m: set request-cpu and limit-cpu'], // prettier-ignore
    'a LimitRange that asks for more': [annotated(), { limitRanges: [{ name: 'large', type: 'Container', min: { memory: '64Mi' } }] }, 'resources: LimitRange "large" allows a container 64Mi of memory at least, and the sidecar\'s request is 48Mi: set request-memory and limit-memory'], // prettier-ignore
    'a LimitRange with a ratio': [annotated(), { limitRanges: [{ name: 'even', type: 'Container', maxLimitRequestRatio: { cpu: '2', memory: '4' } }] }, 'resources: LimitRange "even" allows a container a limit of cpu of at most 2 times its request, and the sidecar\'s are 250m and 10m: set request-cpu and limit-cpu'], // prettier-ignore
    'a LimitRange that refuses the pod as a whole': [annotated({}, app({ resources: { limits: { cpu: '900m' } } })), { limitRanges: [{ name: 'whole', type: 'Pod', max: { cpu: '1' } }] }, 'resources: LimitRange "whole" allows a pod 1 of cpu at most, and with the sidecar its limits come to 1150m: set request-cpu and limit-cpu, or lower those of the other containers'], // prettier-ignore
    'a LimitRange whose least limit only the sidecar has': [annotated({}, app({ resources: { requests: { memory: '1Gi' } } })), { limitRanges: [{ name: 'whole', type: 'Pod', min: { memory: '256Mi' } }] }, 'resources: LimitRange "whole" allows a pod a limit of 256Mi of memory at least, and with the sidecar its limits come to 128Mi: give every container one'], // prettier-ignore
    'a LimitRange with a ratio for the pod': [annotated({}, app({ resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } })), { limitRanges: [{ name: 'whole', type: 'Pod', maxLimitRequestRatio: { cpu: '2' } }] }, 'resources: LimitRange "whole" allows a pod limits of cpu of at most 2 times its requests, and with the sidecar they come to 450m and 110m: set request-cpu and limit-cpu, or lower those of the other containers'], // prettier-ignore
    'a classic proxy already there': [annotated({}, { containers: [{ name: 'app' }, { name: 'istio-proxy' }] }), {}, 'mesh: container istio-proxy takes the sidecar\'s traffic before it runs itself: set the annotations traffic.sidecar.istio.io/excludeOutboundPorts: "443" and traffic.sidecar.istio.io/excludeInboundPorts: "20471", or let the mesh use native sidecars'], // prettier-ignore
    'a classic proxy with half of the advice': [annotated({ 'config.linkerd.io/skip-outbound-ports': '443' }, { containers: [{ name: 'app' }, { name: 'linkerd-proxy' }] }), {}, 'mesh: container linkerd-proxy takes the sidecar\'s traffic before it runs itself: set the annotation config.linkerd.io/skip-inbound-ports: "20471", or let the mesh use native sidecars'], // prettier-ignore
    'a pod that is full': [annotated({}, { resources: { requests: { cpu: '1' } }, ...app({ resources: { requests: { cpu: '1000m' } } }) }), {}, "resources: the pod's resources.requests.cpu of 1 leave nothing for the sidecar, which asks for 10m: raise them by as much"], // prettier-ignore
    'no ServiceAccount': [annotated(), { serviceAccount: undefined as never }, 'no-identity: no client id: ServiceAccount "default" in namespace "shop" does not exist, and the pod has no annotation azure.keyvault.injector/client-id'], // prettier-ignore
    'no client id': [annotated({}, { serviceAccountName: 'web' }), { serviceAccount: { annotations: {} } }, 'no-identity: no client id: ServiceAccount "web" in namespace "shop" has no annotation azure.workload.identity/client-id, and the pod has no annotation azure.keyvault.injector/client-id'], // prettier-ignore
    'no tenant id': [annotated(), { configuration: configurationOf({ tenantId: undefined }) }, 'no-identity: no tenant id: the administrator\'s configuration has no tenantId, ServiceAccount "default" in namespace "shop" no annotation azure.workload.identity/tenant-id, and the pod no annotation azure.keyvault.injector/tenant-id'], // prettier-ignore
    'an unknown cloud': [annotated({ cloud: 'AzureGovernmentCloud' }), {}, 'bad-annotation: annotation azure.keyvault.injector/cloud: there is no cloud "AzureGovernmentCloud" (did you mean "AzureUSGovernmentCloud"?); known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud'], // prettier-ignore
    'no vault': [
      annotated({ vault: '' }),
      {},
      'bad-annotation: annotation azure.keyvault.injector/vault "": expected a text',
    ],
    'objects without a vault': [{ ...annotated(), metadata: { labels: annotated().metadata.labels, annotations: { 'azure.keyvault.injector/objects': 'a,b,key/c,d,e' } } }, {}, 'no-vault: no vault for secret a, secret b, key c and 2 more: set the annotation azure.keyvault.injector/vault'], // prettier-ignore
    'a vault elsewhere without a rule': [annotated({ vault: 'https://kv.example.org' }), {}, 'vault-not-allowed: vault "https://kv.example.org": a vault outside of the pod\'s cloud needs a rule in the administrator\'s configuration'], // prettier-ignore
    'a vault that no rule allows': [annotated(), rules([{ namespaces: ['shop'], vaults: ['other-*'] }, { namespaces: ['x*'], vaults: ['*'] }]), 'vault-not-allowed: vault "my-kv": the administrator\'s rules do not allow it in namespace "shop"'], // prettier-ignore
    'a pattern does not reach into a domain': [annotated({ vault: 'https://my-kv.evil.example' }), rules([{ namespaces: ['*'], vaults: ['https://my-*', 'my-*'] }]), 'vault-not-allowed: vault "https://my-kv.evil.example": the administrator\'s rules do not allow it in namespace "shop"'], // prettier-ignore
    'a managed HSM': [annotated({ vault: 'https://x.managedhsm.azure.net' }), {}, 'bad-annotation: vault "https://x.managedhsm.azure.net": managed HSMs are not supported: they hold keys only, under other roles and another token audience'], // prettier-ignore
    'below the bounds': [annotated({ 'poll-interval': '1s' }), {}, 'not-allowed: annotation azure.keyvault.injector/poll-interval: the administrator allows no less than 30s'], // prettier-ignore
    'above the bounds, on the namespace': [annotated(), { namespace: { name: 'shop', labels: {}, annotations: { 'azure.keyvault.injector/splay': '2h' } } }, 'not-allowed: annotation azure.keyvault.injector/splay of the namespace: the administrator allows no more than 1h'], // prettier-ignore
    'a bound on a quantity': [annotated({ 'limit-memory': '2Gi' }), { configuration: configurationOf({ bounds: { 'limit-memory': { max: '512Mi' } } }) }, 'not-allowed: annotation azure.keyvault.injector/limit-memory: the administrator allows no more than 512Mi'], // prettier-ignore
    'a forbidden annotation': [annotated({ 'template-a': 'x' }), { configuration: configurationOf({ annotations: { forbidden: ['template-*'] } }) }, 'not-allowed: annotation azure.keyvault.injector/template-a: the administrator does not allow it on pods'], // prettier-ignore
    'one that is not allowed': [annotated({ splay: '1s' }), { configuration: configurationOf({ annotations: { allowed: ['vault', 'objects'] } }) }, 'not-allowed: annotation azure.keyvault.injector/splay: the administrator does not allow it on pods'], // prettier-ignore
    'a pod\'s annotation on the namespace': [annotated(), { namespace: { name: 'shop', labels: {}, annotations: { 'azure.keyvault.injector/refresh': '1' } } }, 'bad-annotation: annotation azure.keyvault.injector/refresh of the namespace "1": this annotation is for pods only'], // prettier-ignore
    'two files at one path': [annotated({ 'template-db-password': 'x' }), {}, 'bad-annotation: template "db-password" and secret db-password are both written to "db-password"; give one of them another path'], // prettier-ignore
    'too much': [annotated({ 'template-a': 'x'.repeat(90_000) }), {}, "too-large: objects, templates and certificates take 119 KiB of the sidecar's settings, and 96 KiB fit: shorten templates or split the pod's objects"], // prettier-ignore
    'a typo where nothing is asked for': [annotated({}, {}, { annotations: { 'azure.keyvault.injector/object': 'a' } }), {}, 'bad-annotation: annotation azure.keyvault.injector/object "a": there is no such annotation (did you mean "objects"?)'], // prettier-ignore
  }
  for (const [name, [pod, changes, expected]] of Object.entries(cases)) {
    t.ok(problemsOf(pod, changes).includes(expected), `${name}: ${problemsOf(pod, changes).join('\n')}`)
  }
})

void t.test('each warning has its sentence, of 120 characters at most with ordinary names', async (t) => {
  const signal = { signal: 'SIGTERM' }
  const known = { securityContext: { runAsUser: 1000 } }
  const hook = { exec: { command: ['sh', '-c', 'kill -HUP 1'] } }
  const cases: Record<string, [unknown, Partial<Surroundings>, string]> = {
    'an unknown user': [
      annotated(signal),
      {},
      'which user runs app is unknown: set runAsUser, run-as-user or signal-permission',
    ],
    'another user': [annotated({ ...signal, 'run-as-user': '2000' }, known), {}, 'run-as-user is 2000, but app runs as 1000: the signal may not be permitted'], // prettier-ignore
    'root': [annotated(signal, { securityContext: { runAsUser: 0 } }), {}, 'the sidecar runs as user 0 to signal a process of user 0'], // prettier-ignore
    'SIGTERM and OnFailure': [annotated(signal, { ...known, restartPolicy: 'OnFailure' }), {}, 'SIGTERM with restartPolicy: OnFailure: an app that exits 0 stays down'], // prettier-ignore
    'SIGTERM and Never': [annotated(signal, { ...known, restartPolicy: 'Never' }), {}, 'SIGTERM with restartPolicy: Never: the app stays down'], // prettier-ignore
    'SIGTERM and Never of the container': [annotated(signal, { ...known, ...app({ restartPolicy: 'Never' }) }), {}, 'SIGTERM with restartPolicy: Never: the app stays down'], // prettier-ignore
    'SIGTERM and preStop': [annotated(signal, { ...known, ...app({ lifecycle: { preStop: {} } }) }), {}, 'SIGTERM from the sidecar does not run the preStop hook of "app"'], // prettier-ignore
    'kill 1': [annotated(signal, { ...known, ...app({ livenessProbe: hook }) }), {}, '"app" has a hook or probe with kill ... 1: process 1 is the pause container\'s now'], // prettier-ignore
    'a subPath': [annotated({}, app({ volumeMounts: [{ name: 'akv-injector-secrets', mountPath: '/x', subPath: 'a', readOnly: true }] })), {}, 'container "app": the subPath mount at "/x" never shows a rotation'], // prettier-ignore
    'kill 1 among others': [annotated(signal, { ...known, ...app({ livenessProbe: { exec: { command: ['sh', '-c', 'kill -HUP 1; sleep 2'] } } }) }), {}, '"app" has a hook or probe with kill ... 1: process 1 is the pause container\'s now'], // prettier-ignore
    'no client id': [annotated(), { configuration: configurationOf({ missingClientId: 'warn' }), serviceAccount: { annotations: {} } }, 'no client id: ServiceAccount "default" in namespace "shop" has no annotation azure.workload.identity/client-id'], // prettier-ignore
    'a signal in mode once': [annotated({ ...signal, mode: 'once' }), {}, 'signal has no effect in mode once: nothing changes after the start'], // prettier-ignore
    'a container without a signal': [annotated({ 'signal-container': 'app' }), {}, 'signal-container has no effect without the annotation signal'], // prettier-ignore
    'a Job on old kubelets': [annotated({}, { restartPolicy: 'Never' }), { oldestKubelet: 'v1.28.1' }, 'kubelet v1.28.1 has no native sidecars: secrets are fetched once, so that the pod can complete'], // prettier-ignore
  }
  for (const [name, [pod, changes, expected]] of Object.entries(cases)) {
    t.strictSame(warningsOf(pod, changes), [expected], name)
    t.ok(expected.length <= 120, `${name}: ${expected.length} characters`)
  }
  t.strictSame(warningsOf(annotated(signal, { ...known, ...app({ livenessProbe: { exec: { command: ['sh', '-c', 'kill -0 10; echo 1'] } } }) })), [], 'other uses of kill and 1 are fine') // prettier-ignore
  const proxy = { initContainers: [{ name: 'proxy', restartPolicy: 'Always' }] }
  t.strictSame(warningsOf(annotated({ ...signal, 'signal-container': 'proxy' }, { ...known, ...proxy, restartPolicy: 'Never' })), [], 'a native sidecar is restarted whatever the pod says') // prettier-ignore
})

void t.test('a template is not wrong because an object is', async (t) => {
  const template = { 'template-a': '{{ secrets["db-password"] }}{{ secrets["nothing"] }}' }
  const problem = /^bad-annotation: template "a", line 1: there is no secrets\["nothing"\]/
  const objects = 'objects: [db-password, { name: other, format: odd }]'
  t.match(problemsOf(annotated(template)), [problem])
  t.match(problemsOf(annotated({ ...template, objects })), [/^bad-annotation: .*format "odd"/])
  t.equal(problemsOf(annotated({ ...template, objects })).length, 1)
  t.match(problemsOf(annotated({ ...template, vault: 'no_name' })), [/^bad-annotation: .*vault/, problem])
  t.equal(problemsOf(annotated({ ...template, vault: 'no_name' })).length, 2)
})

void t.test('an unknown cloud hides nothing else, and nothing is told that follows from it', async (t) => {
  const cloud = 'bad-annotation: annotation azure.keyvault.injector/cloud: there is no cloud "constructor"; known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud' // prettier-ignore
  const nobody = { serviceAccount: { annotations: {} } }
  const rules = (...vaults: string[]) => ({ configuration: configurationOf({ vaults: [{ namespaces: ['*'], vaults }] }) }) // prettier-ignore
  const refusal = 'the administrator\'s rules do not allow it in namespace "shop"'
  const proxied = { containers: [{ name: 'app' }, { name: 'istio-proxy' }] }
  const cases: Record<string, [Record<string, string>, object, Partial<Surroundings>, ...string[]]> = {
    'a bad name of a vault': [{ vault: 'no_name' }, {}, {}, 'bad-annotation: vault "no_name": expected the name of a vault (3 to 24 letters, digits and dashes) or its https:// URL'], // prettier-ignore
    'a private name': [{ vault: 'https://my-kv.privatelink.vaultcore.azure.net' }, {}, {}, 'bad-annotation: vault "https://my-kv.privatelink.vaultcore.azure.net": use the public name https://my-kv.<the cloud\'s suffix>: a private endpoint answers to it inside the network'], // prettier-ignore
    'a vault of some cloud': [{ vault: 'https://my-kv.vault.azure.cn' }, {}, {}],
    'a vault of no cloud': [{ vault: 'https://kv.example.org' }, {}, {}, 'vault-not-allowed: vault "https://kv.example.org": a vault outside of the pod\'s cloud needs a rule in the administrator\'s configuration'], // prettier-ignore
    'a vault that no rule allows': [{}, {}, rules('other-*'), `vault-not-allowed: vault "my-kv": ${refusal}`],
    'one that is allowed by its name': [{}, {}, rules('my-*')],
    'one that is allowed in some cloud': [{}, {}, rules('https://my-kv.vault.azure.cn')],
    'one whose URL is allowed by its name': [{ vault: 'https://my-kv.vault.azure.cn' }, {}, rules('my-kv')],
    'no client id': [{}, {}, nobody, 'no-identity: no client id: ServiceAccount "default" in namespace "shop" has no annotation azure.workload.identity/client-id, and the pod has no annotation azure.keyvault.injector/client-id'], // prettier-ignore
    'AD FS, which some clouds have': [{ 'tenant-id': 'adfs' }, {}, {}],
    'two files at one path': [{ 'template-db-password': 'x' }, {}, {}, 'bad-annotation: template "db-password" and secret db-password are both written to "db-password"; give one of them another path'], // prettier-ignore
    'a template that names what is not there': [{ 'template-a': '{{ secrets.db }} {{ secrets["db-password"] }}' }, {}, {}, 'bad-annotation: template "a", line 1: there is no secrets["db"] (there is db-password)'], // prettier-ignore
    'too much': [{ 'template-a': 'x'.repeat(90_000) }, {}, {}, "too-large: objects, templates and certificates take 119 KiB of the sidecar's settings, and 96 KiB fit: shorten templates or split the pod's objects"], // prettier-ignore
    'a LimitRange': [{}, {}, { limitRanges: [{ name: 'large', type: 'Container', min: { memory: '64Mi' } }] }, 'resources: LimitRange "large" allows a container 64Mi of memory at least, and the sidecar\'s request is 48Mi: set request-memory and limit-memory'], // prettier-ignore
    'a classic proxy': [{}, proxied, {}, 'mesh: container istio-proxy takes the sidecar\'s traffic before it runs itself: set the annotations traffic.sidecar.istio.io/excludeOutboundPorts: "<the ports of vaults and sign-in>" and traffic.sidecar.istio.io/excludeInboundPorts: "20471", or let the mesh use native sidecars'], // prettier-ignore
  }
  for (const [name, [annotations, spec, changes, ...others]] of Object.entries(cases)) {
    const problems = problemsOf(annotated({ cloud: 'constructor', ...annotations }, spec), changes)
    t.strictSame(problems, [cloud, ...others], name)
  }
})

void t.test('a vault that is refused hides nothing of its objects', async (t) => {
  const refused = { vault: 'https://kv.example.org:8443', objects: 'db-password, db-password=other' }
  const proxied = { containers: [{ name: 'app' }, { name: 'linkerd-proxy' }] }
  t.strictSame(problemsOf(annotated({ ...refused, 'template-other': 'x', 'bundle-.env': 'dotenv' }, proxied)), [
    'bad-annotation: template "other" and secret db-password are both written to "other"; give one of them another path',
    'bad-annotation: bundle ".env": the secrets at "db-password" and "other" would both be DB_PASSWORD; use a template, which can tell them apart', // prettier-ignore
    'vault-not-allowed: vault "https://kv.example.org:8443": a vault outside of the pod\'s cloud needs a rule in the administrator\'s configuration', // prettier-ignore
    'mesh: container linkerd-proxy takes the sidecar\'s traffic before it runs itself: set the annotations config.linkerd.io/skip-outbound-ports: "<the ports of vaults and sign-in>" and config.linkerd.io/skip-inbound-ports: "20471", or let the mesh use native sidecars', // prettier-ignore
  ])
})

void t.test('objects that cannot be read hide neither who asks nor what a template says wrong by itself', async (t) => {
  const { metadata, spec } = annotated({ objects: 'a b', 'secret-provider-class': 'kv', 'template-a': '{{ secrets.x }}', 'template-b': '{% if %}' }, { containers: [{ name: 'app' }, { name: 'istio-proxy' }] }) // prettier-ignore
  const parameters = { keyvaultName: 'my-kv', clientID: '33333333-3333-3333-3333-333333333333', objects: 'array:\n  - |\n    objectName: c\n    objectType: secret' } // prettier-ignore
  const secretProviderClasses = new Map([['kv', { spec: { provider: 'azure', parameters } }]])
  const around = { secretProviderClasses, serviceAccount: { annotations: {} } }
  t.match(problemsOf({ metadata, spec }, around), [
    /^bad-annotation: .*\/objects: entry "a b"/,
    /^bad-annotation: template "b", line 1: /,
    /^no-identity: no client id: /,
    /^mesh: .*excludeOutboundPorts: "<the ports/,
  ])
  t.equal(problemsOf({ metadata, spec }, around).length, 4)
  const names = annotated({ 'secret-provider-class': 'K_V', 'template-a': '{{ secrets.x }}' })
  t.match(problemsOf(names), [/"K_V" is not a name/])
  t.equal(problemsOf(names).length, 1, 'nor is a template wrong for objects of a class that cannot be told')
})

void t.test('a target that cannot be told hides nothing that the signal needs', async (t) => {
  const nowhere = { signal: 'SIGHUP', 'signal-container': 'ap' }
  const namespace = { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} }
  t.match(problemsOf(annotated({ ...nowhere, 'signal-permission': 'cap-kill' }), { namespace }), [/^unknown-container: /, /^user-id: signal-permission cap-kill: /]) // prettier-ignore
  t.match(problemsOf(annotated({ ...nowhere, 'run-as-user': '0' })), [/^unknown-container: /])
  t.equal(problemsOf(annotated({ ...nowhere, 'run-as-user': '0' })).length, 1, 'somebody is to be signalled')
  t.match(problemsOf(annotated({ ...nowhere, mode: 'once', 'run-as-user': '0' })), [/^user-id: run-as-user 0: /], 'but not in mode once') // prettier-ignore
})

void t.test('pod over namespace over administrator over table', async (t) => {
  const interval = (onPod: object, onNamespace: Record<string, string>, file: object) =>
    injected(annotated({ ...onPod }), {
      namespace: { name: 'shop', labels: {}, annotations: onNamespace },
      configuration: configurationOf(file),
    }).settings.pollInterval / 1000
  const onNamespace = { 'azure.keyvault.injector/poll-interval': '3m' }
  const file = { defaults: { 'poll-interval': '4m' } }
  t.equal(interval({ 'poll-interval': '5m' }, onNamespace, file), 300)
  t.equal(interval({}, onNamespace, file), 180)
  t.equal(interval({}, {}, file), 240)
  t.equal(interval({}, {}, {}), 120)
  t.equal(interval({}, {}, { bounds: { 'poll-interval': { min: '10m' } } }), 600, "the table's own value moves to the bounds") // prettier-ignore
  t.equal(interval({}, {}, { bounds: { 'poll-interval': { min: '30s', max: '1m' } } }), 60, 'from either side') // prettier-ignore

  const files = { 'azure.keyvault.injector/template-a': 'of the namespace', 'azure.keyvault.injector/template-b': 'x', 'azure.keyvault.injector/bundle-c': 'json' } // prettier-ignore
  const { templates, bundles } = injected(annotated({ 'template-a': 'of the pod' }), { namespace: { name: 'shop', labels: {}, annotations: files } }).settings // prettier-ignore
  t.strictSame({ templates, bundles }, { templates: { a: 'of the pod', b: 'x' }, bundles: { c: 'json' } }, 'templates and bundles one by one') // prettier-ignore
})

void t.test('identity: pod over ServiceAccount over administrator', async (t) => {
  const account = { annotations: { 'azure.workload.identity/client-id': ` ${'9'.repeat(8)}-9999-9999-9999-${'9'.repeat(12)}\n`, 'azure.workload.identity/tenant-id': ' tenant-of-account\n' } } // prettier-ignore
  const own = '12345678-1234-1234-1234-123456789012'
  const [identity] = injected(annotated({ 'client-id': own }), { serviceAccount: account }).settings.identities
  t.strictSame(identity, { cloud: 'AzurePublicCloud', tenantId: 'tenant-of-account', clientId: own })
  const [other] = injected(annotated(), { serviceAccount: account }).settings.identities
  t.strictSame(other, { cloud: 'AzurePublicCloud', tenantId: 'tenant-of-account', clientId: '99999999-9999-9999-9999-999999999999' }, 'blanks around an id are no part of it') // prettier-ignore
  const withId = { annotations: { 'azure.workload.identity/client-id': own } }
  t.equal(injected(annotated(), { serviceAccount: withId }).settings.identities[0]?.tenantId, configurationOf().tenantId) // prettier-ignore

  const expiration = 'azure.workload.identity/service-account-token-expiration'
  const lasting = { annotations: { ...account.annotations, [expiration]: '7200' } }
  const secondsOf = (pod: object) => /"expirationSeconds":(\d+)/.exec(JSON.stringify(injected(pod, { serviceAccount: lasting }).pod))?.[1] // prettier-ignore
  t.equal(secondsOf(annotated()), '7200', "the token's life too")
  t.equal(secondsOf(annotated({ [expiration]: '4000' })), '4000')
  t.equal(secondsOf(annotated({ [expiration]: '86400' })), '86400')
  t.equal(secondsOf(annotated({ [expiration]: '86401' })), '3600')
})

void t.test('identity: an id of the ServiceAccount is checked like that of a pod or class', async (t) => {
  const resource = '/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web'
  const account = (name: string, text: string) => ({
    serviceAccount: { annotations: { 'azure.workload.identity/client-id': clientId, [`azure.workload.identity/${name}`]: text } }, // prettier-ignore
  })
  const where = 'ServiceAccount "default" in namespace "shop": annotation azure.workload.identity'
  const guid = 'expected a GUID such as 00000000-0000-0000-0000-000000000000'
  for (const text of [resource, 'web', `${clientId} x`]) {
    const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
    t.strictSame(problemsOf(annotated(), account('client-id', text)), [`no-identity: ${where}/client-id ${shown}: ${guid}`]) // prettier-ignore
  }
  t.strictSame(problemsOf(annotated(), account('tenant-id', 'a b')), [`no-identity: ${where}/tenant-id "a b": expected the id or the domain of a tenant`]) // prettier-ignore
  t.strictSame(problemsOf(annotated({ 'client-id': clientId }), account('client-id', 'web')), ['inject'], 'one that is not used is not looked at') // prettier-ignore
  const missing = problemsOf(annotated(), account('client-id', ' \n'))
  t.match(missing, [/^no-identity: no client id: /], 'a blank one is missing')

  const classOf = (parameters: object) => new Map([['kv', { spec: { provider: 'azure', parameters: { keyvaultName: 'my-kv', objects: 'array:\n  - |\n    objectName: c\n    objectType: secret', ...parameters } } }]]) // prettier-ignore
  const { metadata, spec } = annotated({ 'secret-provider-class': 'kv' })
  const { ['azure.keyvault.injector/objects']: _, ...annotations } = metadata.annotations as Record<string, string>
  const pod = { metadata: { ...metadata, annotations }, spec }
  const around = account('client-id', 'web')
  t.strictSame(problemsOf(pod, { ...around, secretProviderClasses: classOf({}) }), [`no-identity: SecretProviderClass "kv": ${where}/client-id "web": ${guid}`]) // prettier-ignore
  t.strictSame(problemsOf(pod, { ...around, secretProviderClasses: classOf({ clientID: ` ${clientId} ` }) }), ['inject']) // prettier-ignore
})

void t.test("clouds: the administrator's, with certificates, and only the one that is used", async (t) => {
  const [pem, house] = [makeAuthority().ca, makeAuthority().ca]
  const lab = { authorityHost: 'https://login.lab', vaultSuffix: 'vault.lab', caCertificates: pem }
  const configuration = configurationOf({
    cloud: 'Lab',
    clouds: { Lab: lab },
    caCertificates: house,
  })
  const decision = injected(annotated(), { configuration })
  t.strictSame(decision.settings.clouds, { Lab: { ...lab, caCertificates: `${pem}\n${house}` } })
  t.equal(decision.settings.objects[0]?.vault, 'https://my-kv.vault.lab')
  t.match(sidecarOf(decision).env, [{}, {}, {}, {}, { name: 'AZURE_AUTHORITY_HOST', value: 'https://login.lab/' }])
  const back = injected(annotated({ cloud: 'AzurePublicCloud' }), { configuration })
  t.strictSame(Object.keys(back.settings.clouds), ['AzurePublicCloud'], 'a pod may name another one')
})

void t.test('vault rules', async (t) => {
  const vaultOf = (vault: string, vaults: object[]) =>
    injected(annotated({ vault }), { configuration: configurationOf({ vaults }) }).settings.objects[0]?.vault
  const everywhere = { namespaces: ['*'] }
  t.equal(vaultOf('My-KV', [{ namespaces: ['sh*'], vaults: ['my-*'] }]), 'https://my-kv.vault.azure.net')
  t.equal(
    vaultOf('https://my-kv.vault.azure.net/', [{ ...everywhere, vaults: ['my-kv'] }]),
    'https://my-kv.vault.azure.net',
  )
  t.equal(vaultOf('https://kv.example.org:8443', [{ ...everywhere, vaults: ['https://*.example.org:8443'] }]), 'https://kv.example.org:8443') // prettier-ignore
  t.equal(
    vaultOf('my-kv', [{ ...everywhere, vaults: ['https://my-kv.vault.azure.net'] }]),
    'https://my-kv.vault.azure.net',
  )
  t.equal(vaultOf('my-kv', [{ namespaces: ['other', 'shop'], vaults: ['x', 'MY-KV'] }]), 'https://my-kv.vault.azure.net', 'one namespace and one vault of several') // prettier-ignore

  const ends = configurationOf({ vaults: [{ ...everywhere, vaults: ['kv'] }] })
  t.match(problemsOf(annotated(), { configuration: ends }), [/^vault-not-allowed: /], 'a rule means a whole name')
  const homeless = { labels: annotated().metadata.labels, annotations: { 'azure.keyvault.injector/objects': 'a,b,c' } }
  t.match(problemsOf({ ...annotated(), metadata: homeless }), [
    /^no-vault: no vault for secret a, secret b, secret c: /,
  ])

  // A name of several labels is another vault's host, although it ends as those of the cloud.
  const elsewhere = ['https://a.b.vault.azure.net', 'https://my-kv.vault.azure.net.example.org', 'https://my-kv.vault.azure.net:8443'] // prettier-ignore
  for (const vault of elsewhere) {
    t.match(problemsOf(annotated({ vault })), [/^vault-not-allowed: /], `${vault} without rules`)
    const rules = configurationOf({ vaults: [{ ...everywhere, vaults: ['*', 'https://*.vault.azure.net'] }] })
    t.match(problemsOf(annotated({ vault }), { configuration: rules }), [/^vault-not-allowed: /], `${vault} with rules about vaults of the cloud`) // prettier-ignore
  }
})

void t.test('user ids', async (t) => {
  const idsOf = (annotations: Record<string, string>, spec: object = {}) => {
    const { securityContext } = sidecarOf(injected(annotated(annotations, spec))) as { securityContext?: { runAsUser?: number; runAsGroup?: number; runAsNonRoot?: boolean } } // prettier-ignore
    return [securityContext?.runAsUser, securityContext?.runAsGroup, securityContext?.runAsNonRoot]
  }
  const signal = { signal: 'SIGHUP' }
  const both = { securityContext: { runAsUser: 1, runAsGroup: 2 }, ...app({ securityContext: { runAsUser: 3 } }) }
  t.strictSame(idsOf({}), [65532, 65532, true], 'nobody to signal')
  t.strictSame(idsOf({}, both), [65532, 65532, true], 'nobody to signal, whatever the pod says')
  t.strictSame(idsOf(signal, both), [3, 2, true], "the container's, then the pod's")
  t.strictSame(idsOf({ ...signal, 'run-as-user': '7', 'run-as-group': '8' }, both), [7, 8, true], 'as annotated')
  t.strictSame(idsOf(signal, { securityContext: { runAsUser: 0 } }), [0, 65532, false], 'root where the target is')
  t.strictSame(idsOf({ ...signal, 'signal-permission': 'cap-kill' }, both), [0, 0, false], 'root that may kill')
  t.strictSame(idsOf({ 'signal-permission': 'cap-kill' }), [65532, 65532, true], 'not without a signal')
})

void t.test("where the sidecar writes: the app's path, unless it needs that itself", async (t) => {
  for (const [path, own] of [
    ['/etc/app/secrets', '/mnt/secrets'],
    ['/run/secrets/app', '/mnt/secrets'],
    ['/secrets', '/secrets'],
    ['/application', '/application'],
  ] as const) {
    // prettier-ignore
    const decision = injected(annotated({ 'mount-path': path }))
    t.equal(decision.settings.mountPath, own)
    t.match(sidecarOf(decision).volumeMounts, [{ name: 'akv-injector-secrets', mountPath: own }])
    t.match(decision.pod.spec.containers, [{ volumeMounts: [{ mountPath: path, readOnly: true }] }])
  }
})

void t.test('a pod with resources of its own keeps within them', async (t) => {
  const resourcesOf = (podResources: object, containers: object) =>
    sidecarOf(injected(annotated({}, { resources: podResources, ...app({ resources: containers }) }))).resources
  t.strictSame(
    resourcesOf({ requests: { cpu: '1', memory: '256Mi' } }, { requests: { cpu: '995m', memory: '216Mi' } }),
    { requests: { cpu: '5m', memory: '40Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
    'what is left is less than what it asks for',
  )
  t.strictSame(
    resourcesOf({ limits: { cpu: '200m', memory: '1Gi' } }, {}),
    { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '200m', memory: '128Mi' } },
    'no limit above the pod’s',
  )
  const unlimited = annotated({}, app({ resources: { limits: { cpu: '0', memory: '1Gi' } } }))
  t.match(sidecarOf(injected(unlimited)).resources, { requests: { cpu: '10m' } }, 'a limit of nothing makes no pod Guaranteed') // prettier-ignore
})

void t.test('a LimitRange of the pod as a whole counts as the API server does', async (t) => {
  const cpu = (limit: string, more: object = {}) => ({ image: 'a', resources: { limits: { cpu: limit } }, ...more })
  const decided = (most: string, annotations: Record<string, string>, spec: object): string => {
    const limitRanges: Limits[] = [{ name: 'whole', type: 'Pod', max: { cpu: most } }]
    return decide(annotated(annotations, spec), surroundings({ limitRanges })).kind
  }
  const apps = { containers: [{ name: 'a', ...cpu('300m') }, { name: 'b', ...cpu('200m') }] } // prettier-ignore
  const native = { initContainers: [{ name: 'proxy', ...cpu('100m', { restartPolicy: 'Always' }) }] }
  const migration = { initContainers: [{ name: 'migrate', ...cpu('600m') }] }
  const cases: [what: string, annotations: Record<string, string>, spec: object, total: string, less: string][] = [
    ['what runs side by side is added up', {}, apps, '750m', '749m'],
    ['native sidecars as well', {}, { ...apps, ...native }, '850m', '849m'],
    ['an init container runs beside native sidecars only', {}, { ...apps, ...migration }, '850m', '849m'],
    ['a classic sidecar starts after the init containers', { mode: 'classic' }, { ...apps, ...migration }, '750m', '749m'], // prettier-ignore
    ['one that only starts adds nothing', { mode: 'once' }, apps, '500m', '499m'],
    ['what the pod says as a whole wins', {}, { ...apps, resources: { limits: { cpu: '600m' } } }, '600m', '599m'],
  ]
  for (const [what, annotations, spec, total, less] of cases) {
    t.equal(decided(total, annotations, spec), 'inject', `${what}: ${total}`)
    t.equal(decided(less, annotations, spec), 'deny', `${what}: more than ${less}`)
  }
})

void t.test('a copy of an injected pod', async (t) => {
  const first = injected(annotated({ signal: 'SIGHUP' }, { initContainers: [{ name: 'migrate' }], securityContext: { runAsUser: 5 } })) // prettier-ignore
  const copy = () => structuredClone(withDefaults(first.pod)) as Pod & { spec: { initContainers: (Container & Record<string, unknown>)[] } } // prettier-ignore
  const again = (pod: Pod, changes: Partial<Surroundings> = {}) => decide(pod, surroundings(changes))

  t.match(again(copy()), { kind: 'skip', reason: 'already-injected' }, 'unchanged')
  const few = configurationOf({ annotations: { allowed: ['vault', 'objects', 'signal'] } })
  const ofFew = injected(annotated({ signal: 'SIGHUP' }), { configuration: few }).pod
  t.match(again(ofFew, { configuration: few }), { kind: 'skip' }, 'what we wrote ourselves is allowed')
  const half = configurationOf({ volumeSizeLimit: '2048Ki' })
  const shrunk = injected(annotated(), { configuration: half }).pod
  const canonical = JSON.parse(JSON.stringify(shrunk).replace('"2048Ki"', '"2Mi"')) as Pod
  t.match(again(canonical, { configuration: half }), { kind: 'skip' }, 'however the API server writes the size')
  const newer = again(copy(), { version: '0.2.0', image: 'registry.example/akv-injector:0.2.0' })
  t.match(newer, { kind: 'inject', pod: { spec: { initContainers: [{ name: 'akv-injector', image: /0.2.0$/ }, { name: 'migrate' }] } } }, 'by another version') // prettier-ignore
  t.equal((newer as Injected).pod.spec.volumes?.length, 3, 'no volume twice')
  t.equal((newer as Injected).pod.spec.containers?.[0]?.volumeMounts?.length, 1, 'no mount twice')

  t.match(again(copy(), { configuration: configurationOf({ vaults: [{ namespaces: ['other'], vaults: ['*'] }] }) }), { kind: 'deny', problems: [{ reason: 'vault-not-allowed' }] }, 'against the rules of today') // prettier-ignore

  const forged = copy()
  const settings: Settings = { ...first.settings, clouds: { AzurePublicCloud: { authorityHost: 'https://evil.example', vaultSuffix: 'evil.example' } } } // prettier-ignore
  forged.spec.initContainers[0]!.env = [{ name: settingsVariable, value: encodeSettings(settings) }]
  t.match(again(forged), { kind: 'inject', settings: { clouds: first.settings.clouds } }, 'with settings of its own')

  const stripped = copy()
  delete stripped.spec.initContainers[0]!['startupProbe']
  t.match(again(stripped), { kind: 'inject' }, 'without its startup probe')
  const tuned = copy()
  tuned.spec.initContainers[0]!.resources = { requests: { cpu: '50m' } }
  t.match(again(tuned), { kind: 'inject', warnings: [{ text: 'removed from akv-injector: requests.cpu' }] }, 'tuned by others') // prettier-ignore
  const unmounted = copy()
  unmounted.spec.containers![0]!.volumeMounts = []
  t.match(again(unmounted), { kind: 'inject' }, 'without the mount')
  const marked = annotated({ status: 'injected', version: '0.1.0' })
  t.match(again(marked), { kind: 'inject' }, 'the annotation alone decides nothing')
  const debugged = copy()
  debugged.spec.containers!.push({ name: 'debugger' })
  t.match(again(debugged), { kind: 'skip' }, 'with one more container, which gets no mount')
  for (const field of ['containers', 'initContainers'] as const) {
    const crowded = copy()
    crowded.spec[field]!.push({ ...crowded.spec.initContainers[0]!, name: 'akv-injector-init' })
    const decided = again(crowded)
    t.match(decided, { kind: 'inject' }, `with one of our containers too many among the ${field}`)
    t.notMatch(JSON.stringify((decided as Injected).pod), /akv-injector-init/)
  }

  const own = { name: 'akv-injector-secrets', mountPath: '/app/settings.ini', subPath: 'settings.ini', readOnly: true }
  const whole = { name: 'akv-injector-secrets', mountPath: '/other', readOnly: true }
  for (const mountPath of ['/secrets', '/etc/app']) {
    const mounting = injected(annotated({ 'mount-path': mountPath }, app({ volumeMounts: [own, whole] })))
    const later = { version: '0.2.0', image: 'registry.example/akv-injector:0.2.0' }
    const renewed = decide(withDefaults(mounting.pod), surroundings(later)) as Injected
    t.strictSame(renewed.pod.spec.containers?.[0]?.volumeMounts, [own, whole, { name: 'akv-injector-secrets', mountPath, readOnly: true }], `a user's own mounts stay beside ours at ${mountPath}`) // prettier-ignore
  }

  const moved = copy()
  moved.metadata!.annotations!['azure.keyvault.injector/mount-path'] = '/secrets'
  const mounts = (again(moved) as Injected).pod.spec.containers?.[0]?.volumeMounts
  t.strictSame(mounts?.map(({ mountPath }) => mountPath), ['/secrets'], 'to another place, and to that one only') // prettier-ignore
})

void t.test('live annotations that the administrator forbids are not projected', async (t) => {
  const filesFor = (annotations: object): string[] => {
    const { pod } = injected(annotated(), { configuration: configurationOf({ annotations }) })
    const { downwardAPI } = pod.spec.volumes?.find(({ name }) => name === 'akv-injector-podinfo') ?? {}
    return (downwardAPI as { items: { path: string }[] }).items.map(({ path }) => path)
  }
  const always = ['name', 'namespace']
  t.strictSame(filesFor({}), ['poll-interval', 'log-level', 'refresh', 'suspend', ...always])
  t.strictSame(filesFor({ forbidden: ['suspend', 'log-level'] }), ['poll-interval', 'refresh', ...always])
  t.strictSame(filesFor({ allowed: ['vault', 'objects', 'refresh'] }), ['refresh', ...always])
  t.strictSame(filesFor({ allowed: ['vault', 'objects', 'refresh'], forbidden: ['refresh'] }), always)

  const { pod } = injected(annotated())
  const forbidding = { configuration: configurationOf({ annotations: { forbidden: ['suspend'] } }) }
  const again = decide(withDefaults(pod), surroundings(forbidding))
  t.equal(again.kind, 'inject', 'a copy from before the rule loses the file')
  t.notMatch(JSON.stringify((again as Injected).pod), /annotations\['azure.keyvault.injector.suspend'\]/)
})

void t.test('the settings follow fsGroup, the network and declared ports', async (t) => {
  t.match(injected(annotated()).settings, { fileMode: 0o444, port: 20471 })
  t.match(injected(annotated({}, { securityContext: { fsGroup: 0 } })).settings, { fileMode: 0o440 })
  t.equal(injected(annotated({}, { hostNetwork: true })).settings.port, undefined)
  t.match(injected(annotated({}, app({ ports: [{ containerPort: 20471 }] }))).settings, { port: 20472 })
})

void t.test('a mesh with classic proxies is told to leave the ports of the sidecar alone', async (t) => {
  const lab = { authorityHost: 'https://login.lab:8443', vaultSuffix: 'vault.lab' }
  const configuration = configurationOf({ classicMesh: 'istio', clouds: { Lab: lab }, cloud: 'Lab' })
  const own = { 'traffic.sidecar.istio.io/excludeInboundPorts': '9000' }
  t.match(injected(annotated({}), { configuration }).pod.metadata?.annotations, {
    'traffic.sidecar.istio.io/excludeOutboundPorts': '443,8443',
    'traffic.sidecar.istio.io/excludeInboundPorts': '20471',
  })
  t.match(injected(annotated(own), { configuration }).pod.metadata?.annotations, {
    'traffic.sidecar.istio.io/excludeOutboundPorts': '443,8443',
    'traffic.sidecar.istio.io/excludeInboundPorts': '9000,20471',
  })
  const done = {
    'traffic.sidecar.istio.io/excludeInboundPorts': '20471',
    'traffic.sidecar.istio.io/excludeOutboundPorts': '443',
  }
  const proxied = annotated(done, { containers: [{ name: 'app' }, { name: 'istio-proxy' }] })
  t.equal(decide(proxied, surroundings()).kind, 'inject', 'a proxy that has been told')
})

void t.test('a native proxy that was put behind the sidecar is told of', async (t) => {
  for (const mode of ['native', 'once']) {
    const { pod } = injected(annotated({ mode }))
    const withProxy = (at: number): Pod => {
      const proxied = structuredClone(pod)
      proxied.spec.initContainers!.splice(at, 0, { name: 'kuma-sidecar', restartPolicy: 'Always' })
      return proxied
    }
    t.strictSame(decide(withProxy(0), surroundings()), { kind: 'skip', reason: 'already-injected', warnings: [] })
    t.match(decide(withProxy(1), surroundings()), {
      kind: 'skip',
      reason: 'already-injected',
      warnings: [{ reason: 'late-proxy', text: /^kuma-sidecar starts after the sidecar, / }],
    })
  }
})
