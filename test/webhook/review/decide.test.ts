import t from 'tap'
import { decide } from '../../support/decide.ts'
import type { Pod } from '../../../webhook/pod/pod.ts'
import { annotated } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'
import { problemsOf } from './sentences.ts'
import { app, injected } from './injected.ts'

void t.test('decision: an invalid object does not make a template invalid', async (t) => {
  const template = { 'template-a': '{{ secrets["db-password"] }}{{ secrets["nothing"] }}' }
  const problem = /^bad-annotation: template "a", line 1: there is no secrets\["nothing"\]/
  const objects = 'objects: [db-password, { name: other, format: odd }]'
  t.match(problemsOf(annotated(template)), [problem])
  t.match(problemsOf(annotated({ ...template, objects })), [/^bad-annotation: .*format "odd"/])
  t.equal(problemsOf(annotated({ ...template, objects })).length, 1)
  t.match(problemsOf(annotated({ ...template, vault: 'no_name' })), [/^bad-annotation: .*vault/, problem])
  t.equal(problemsOf(annotated({ ...template, vault: 'no_name' })).length, 2)
})

void t.test('decision: a rejected vault does not hide problems of its objects', async (t) => {
  const refused = { vault: 'https://kv.example.org:8443', objects: 'db-password, db-password=other' }
  const proxied = { containers: [{ name: 'app' }, { name: 'linkerd-proxy' }] }
  t.strictSame(problemsOf(annotated({ ...refused, 'template-other': 'x', 'bundle-.env': 'dotenv' }, proxied)), [
    'bad-annotation: template "other" and secret db-password are both written to "other"; give one of them another path',
    'bad-annotation: bundle ".env": the secrets at "db-password" and "other" would both be DB_PASSWORD; give one of them another name with names, or leave it out with except',
    'vault-not-allowed: vault "https://kv.example.org:8443" is not a vault of AzurePublicCloud (<name>.vault.azure.net): set the annotation cloud, or have the administrator allow this URL under vaults in the injector\'s configuration',
    'mesh: container linkerd-proxy intercepts the sidecar\'s traffic before it runs: set the annotations config.linkerd.io/skip-outbound-ports: "<the ports of vaults and sign-in>" and config.linkerd.io/skip-inbound-ports: "20471", or configure the mesh to use native sidecars',
  ])
})

void t.test('decision: unreadable objects hide neither identity problems nor those of a template itself', async (t) => {
  const { metadata, spec } = annotated(
    { objects: 'a b', 'secret-provider-class': 'kv', 'template-a': '{{ secrets.x }}', 'template-b': '{% if %}' },
    { containers: [{ name: 'app' }, { name: 'istio-proxy' }] },
  )
  const parameters = {
    keyvaultName: 'my-kv',
    clientID: '33333333-3333-3333-3333-333333333333',
    objects: 'array:\n  - |\n    objectName: c\n    objectType: secret',
  }
  const secretProviderClasses = new Map([['kv', { spec: { provider: 'azure', parameters } }]])
  const around = { secretProviderClasses, serviceAccount: { annotations: {} } }
  t.match(problemsOf({ metadata, spec }, around), [
    /^bad-annotation: .*\/objects: entry "a b"/,
    /^bad-annotation: template "b", line 1: /,
    /^no-identity: no client ID: /,
    /^mesh: .*excludeOutboundPorts: "<the ports/,
  ])
  t.equal(problemsOf({ metadata, spec }, around).length, 4)
  const names = annotated({ 'secret-provider-class': 'K_V', 'template-a': '{{ secrets.x }}' })
  t.match(problemsOf(names), [/"K_V" is not a name/])
  t.equal(problemsOf(names).length, 1, 'nor is a template wrong for the unknown objects of a class')
})

void t.test('decision: an unknown target does not hide other problems of the signal', async (t) => {
  const nowhere = { signal: 'SIGHUP', 'signal-container': 'ap' }
  const namespace = { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' }, annotations: {} }
  t.match(problemsOf(annotated({ ...nowhere, 'signal-permission': 'cap-kill' }), { namespace }), [
    /^unknown-container: /,
    /^user-id: signal-permission cap-kill: /,
  ])
  t.match(problemsOf(annotated({ ...nowhere, 'run-as-user': '0' })), [/^unknown-container: /])
  t.equal(problemsOf(annotated({ ...nowhere, 'run-as-user': '0' })).length, 1, 'the target is to be signaled')
  t.match(
    problemsOf(annotated({ ...nowhere, mode: 'once', 'run-as-user': '0' })),
    [/^user-id: run-as-user 0: /],
    'but not in mode once',
  )
})

void t.test('decision: pod takes precedence over Namespace, administrator and default', async (t) => {
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
  t.equal(
    interval({}, {}, { bounds: { 'poll-interval': { min: '10m' } } }),
    600,
    "the table's own value moves to the bounds",
  )
  t.equal(interval({}, {}, { bounds: { 'poll-interval': { min: '30s', max: '1m' } } }), 60, 'from either side')

  const files = {
    'azure.keyvault.injector/template-a': 'of the namespace',
    'azure.keyvault.injector/template-b': 'x',
    'azure.keyvault.injector/bundle-c': 'json',
  }
  const { templates, bundles } = injected(annotated({ 'template-a': 'of the pod' }), {
    namespace: { name: 'shop', labels: {}, annotations: files },
  }).settings
  t.strictSame(
    { templates, bundles },
    { templates: { a: 'of the pod', b: 'x' }, bundles: { c: 'json' } },
    'templates and bundles one by one',
  )
})

void t.test('decision: file mode and port follow fsGroup, the host network and declared ports', async (t) => {
  t.match(injected(annotated()).settings, { fileMode: 0o444, port: 20471 })
  t.match(injected(annotated({}, { securityContext: { fsGroup: 0 } })).settings, { fileMode: 0o440 })
  t.equal(injected(annotated({}, { hostNetwork: true })).settings.port, undefined)
  t.match(injected(annotated({}, app({ ports: [{ containerPort: 20471 }] }))).settings, { port: 20472 })
})

void t.test('decision: annotations exclude the ports of the sidecar from a mesh with classic proxies', async (t) => {
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
  t.equal(decide(proxied, planInputs()).kind, 'inject', 'a proxy with the exclusions')
})

void t.test('decision: a native proxy after the sidecar causes a warning', async (t) => {
  for (const mode of ['native', 'once']) {
    const { pod } = injected(annotated({ mode }))
    const withProxy = (at: number): Pod => {
      const proxied = structuredClone(pod)
      proxied.spec.initContainers!.splice(at, 0, { name: 'kuma-sidecar', restartPolicy: 'Always' })
      return proxied
    }
    t.strictSame(decide(withProxy(0), planInputs()), { kind: 'skip', reason: 'already-injected', warnings: [] })
    t.match(decide(withProxy(1), planInputs()), {
      kind: 'skip',
      reason: 'already-injected',
      warnings: [{ reason: 'late-proxy', text: /^put kuma-sidecar before the sidecar: / }],
    })
  }
  const proxy = { name: 'istio-proxy', restartPolicy: 'Always' }
  const { pod, warnings } = injected(annotated({}, { initContainers: [{ name: 'migrate' }, proxy] }))
  t.match(pod.spec.initContainers, [{ name: 'akv-injector' }, { name: 'migrate' }, { name: 'istio-proxy' }])
  t.match(warnings, [{ reason: 'late-proxy', text: /^put istio-proxy before the sidecar: / }])
})
