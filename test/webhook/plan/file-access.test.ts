import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'

const objects = '[{ name: db-password, mode: 0400 }, { name: api-key, mode: 0400 }, other]'

function warningsOf(annotations: Record<string, string>, container: object, pod: object = {}): string[] {
  const spec = { containers: [{ name: 'app', image: 'a', ...container }], ...pod }
  const { warnings, kind } = decide(annotated(annotations, spec), planInputs())
  t.equal(kind, 'inject')
  return warnings.map(({ text }) => text)
}

void t.test('file mode: a container that cannot read a file is warned about', async (t) => {
  const text = (mode: string, user: number, owner = 65532) =>
    `set run-as-user or mode: "app" runs as user ${user} and cannot read secret db-password and 1 more with mode ${mode} and owner ${owner}`
  const as = (securityContext: object) => ({ securityContext })
  t.strictSame(warningsOf({ objects }, as({ runAsUser: 999 })), [text('0400', 999)])
  t.strictSame(warningsOf({ objects }, {}, as({ runAsUser: 999 })), [text('0400', 999)], 'the user of the pod')
  t.strictSame(warningsOf({ objects, 'run-as-user': '1000' }, as({ runAsUser: 999 })), [text('0400', 999, 1000)])
  t.strictSame(warningsOf({ objects: objects.replaceAll('0400', '0440') }, as({ runAsUser: 999 })), [text('0440', 999)])
  t.strictSame(warningsOf({ objects: objects.replaceAll('0400', '0040') }, as({ runAsUser: 65532 })), [
    text('0040', 65532),
  ])
  t.strictSame(warningsOf({ objects }, as({ runAsUser: 0, capabilities: { drop: ['ALL'] } })), [text('0400', 0)])
  const strangers = { objects: objects.replaceAll('0400', '0440') }
  t.strictSame(warningsOf(strangers, as({ runAsUser: 999, runAsGroup: 999 })), [text('0440', 999)])

  const silent: Record<string, [Record<string, string>, object, object?]> = {
    'the owner': [{ objects, 'run-as-user': '999' }, as({ runAsUser: 999 })],
    'an unknown user': [{ objects }, {}],
    root: [{ objects }, as({ runAsUser: 0 })],
    'root that keeps DAC_OVERRIDE': [
      { objects },
      as({ runAsUser: 0, capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE'] } }),
    ],
    'the default mode': [{}, as({ runAsUser: 999 })],
    'the default mode with an fsGroup': [{}, as({ runAsUser: 999 }), as({ fsGroup: 2000 })],
    'the group of the sidecar': [strangers, as({ runAsUser: 999, runAsGroup: 65532 })],
    'a supplemental group': [strangers, as({ runAsUser: 999 }), as({ supplementalGroups: [65532] })],
    'a container without the mount': [
      { objects, containers: 'app' },
      {},
      { initContainers: [{ name: 'i', securityContext: { runAsUser: 999 } }] },
    ],
  }
  for (const [name, [annotations, container, pod]] of Object.entries(silent)) {
    t.strictSame(warningsOf(annotations, container, pod), [], name)
  }
})

void t.test('file mode: a key that others may read causes a warning for PostgreSQL', async (t) => {
  const split = (more = '') => ({ objects: `[{ name: tls, split: true${more} }]` })
  const key =
    "set mode: 0400 and run-as-user to PostgreSQL's user: it rejects the private key of secret tls unless it owns the file and nobody else can read it"
  t.strictSame(warningsOf(split(), { image: 'docker.io/library/postgres:17' }), [key])
  t.strictSame(warningsOf(split(), { image: 'bitnami/postgresql@sha256:0' }), [key])
  t.strictSame(warningsOf(split(', mode: 0400'), { image: 'postgres' }), [])
  t.strictSame(warningsOf(split(), { image: 'nginx' }), [])
  t.strictSame(warningsOf({}, { image: 'postgres' }), [])
})

void t.test('formats: a PKCS#12 file without an encoding is warned about', async (t) => {
  t.strictSame(warningsOf({ objects: '[{ name: tls, format: pfx }]' }, {}), [
    'set encoding: base64 for a binary file: tls has format pfx, which is written as base64 text',
  ])
  t.strictSame(warningsOf({ objects: '[{ name: tls, format: pfx, encoding: base64 }]' }, {}), [])
  const parameters = {
    keyvaultName: 'my-kv',
    objects: 'array:\n  - |\n    objectName: tls\n    objectType: secret\n    objectFormat: pfx',
  }
  const secretProviderClasses = new Map([['kv', { spec: { provider: 'azure', parameters } }]])
  const { warnings } = decide(annotated({ 'secret-provider-class': 'kv' }), planInputs({ secretProviderClasses }))
  t.strictSame(
    warnings.map(({ text }) => text),
    ['set objectEncoding: base64 for a binary file: tls has format pfx, which is written as base64 text'],
  )
})

void t.test("user ID: a platform that assigns user IDs assigns the sidecar's", async (t) => {
  const userOf = (range: string | undefined, annotations: Record<string, string> = {}, spec: object = {}) => {
    const namespace = {
      name: 'shop',
      labels: {},
      annotations: range === undefined ? {} : { 'openshift.io/sa.scc.uid-range': range },
    }
    const decision = decide(annotated(annotations, spec), planInputs({ namespace }))
    if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
    const context = decision.pod.spec.initContainers?.[0]?.securityContext
    return [context?.runAsUser, context?.runAsGroup]
  }
  t.strictSame(userOf('1000650000/10000'), [1000650000, 65532])
  t.strictSame(userOf('1000650000-1000659999'), [1000650000, 65532])
  t.strictSame(userOf(' 1000650000/10000 '), [1000650000, 65532])
  t.strictSame(
    userOf('1000650000/10000', { 'run-as-user': '1000650001' }),
    [1000650001, 65532],
    'an id that is asked for',
  )
  t.strictSame(
    userOf('1000650000/10000', { signal: 'SIGHUP' }, { securityContext: { runAsUser: 1000650007 } }),
    [1000650007, 65532],
    "the target's",
  )
  for (const range of [undefined, '', '0/10000', 'a/b', '99999999999/1', '1000']) {
    t.strictSame(userOf(range), [65532, 65532], String(range))
  }
})

void t.test('known sidecars: containers of other injectors get no mount and no signal', async (t) => {
  const { knownSidecars } = configurationOf()
  for (const name of ['queue-proxy', 'azwi-proxy', 'istio-proxy', 'linkerd-proxy', 'otc-container', 'daprd']) {
    const decision = decide(
      annotated(
        { signal: 'SIGHUP' },
        { containers: [{ name: 'user-container' }, { name }], initContainers: [{ name: 'azwi-proxy-init' }] },
      ),
      planInputs(),
    )
    if (name.endsWith('-proxy') && decision.kind === 'deny') continue
    t.equal(decision.kind, 'inject', name)
    if (decision.kind !== 'inject') continue
    t.equal(decision.settings.notify.signal?.container, 'user-container', name)
    t.strictSame(decision.settings.admitted.containers, ['user-container'], name)
  }
  t.equal(new Set(knownSidecars).size, knownSidecars.length)
})
