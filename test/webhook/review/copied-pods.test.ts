import t from 'tap'
import { settingsVariable } from '../../../shared/names.ts'
import { encodeSettings, type Settings } from '../../../shared/settings/codec.ts'
import { decide } from '../../support/decide.ts'
import type { PlanInputs } from '../../../webhook/plan/inputs.ts'
import type { Container, Pod } from '../../../webhook/pod/pod.ts'
import { withDefaults } from '../../support/kubernetes-api-server.ts'
import { annotated } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'
import { type Injected, app, injected } from './injected.ts'

void t.test('copied pods: a copy of an injected pod gets the sidecar of a new decision', async (t) => {
  const first = injected(
    annotated({ signal: 'SIGHUP' }, { initContainers: [{ name: 'migrate' }], securityContext: { runAsUser: 5 } }),
  )
  const copy = () =>
    structuredClone(withDefaults(first.pod)) as Pod & {
      spec: { initContainers: (Container & Record<string, unknown>)[] }
    }
  const again = (pod: Pod, changes: Partial<PlanInputs> = {}) => decide(pod, planInputs(changes))

  t.match(again(copy()), { kind: 'skip', reason: 'already-injected' }, 'unchanged')
  const few = configurationOf({ annotations: { allowed: ['vault', 'objects', 'signal'] } })
  const ofFew = injected(annotated({ signal: 'SIGHUP' }), { configuration: few }).pod
  t.match(again(ofFew, { configuration: few }), { kind: 'skip' }, 'what we wrote ourselves is allowed')
  const half = configurationOf({ volumeSizeLimit: '2048Ki' })
  const shrunk = injected(annotated(), { configuration: half }).pod
  const canonical = JSON.parse(JSON.stringify(shrunk).replace('"2048Ki"', '"2Mi"')) as Pod
  t.match(again(canonical, { configuration: half }), { kind: 'skip' }, 'however the API server writes the size')
  const newer = again(copy(), { version: '0.2.0', image: 'registry.example/akv-injector:0.2.0' })
  t.match(
    newer,
    {
      kind: 'inject',
      pod: { spec: { initContainers: [{ name: 'akv-injector', image: /0.2.0$/ }, { name: 'migrate' }] } },
    },
    'by another version',
  )
  t.equal((newer as Injected).pod.spec.volumes?.length, 3, 'no volume twice')
  t.equal((newer as Injected).pod.spec.containers?.[0]?.volumeMounts?.length, 1, 'no mount twice')

  t.match(
    again(copy(), { configuration: configurationOf({ vaults: [{ namespaces: ['other'], vaults: ['*'] }] }) }),
    { kind: 'deny', problems: [{ reason: 'vault-not-allowed' }] },
    'against the rules of today',
  )

  const forged = copy()
  const settings: Settings = {
    ...first.settings,
    clouds: { AzurePublicCloud: { authorityHost: 'https://evil.example', vaultSuffix: 'evil.example' } },
  }
  forged.spec.initContainers[0]!.env = [{ name: settingsVariable, value: encodeSettings(settings) }]
  t.match(again(forged), { kind: 'inject', settings: { clouds: first.settings.clouds } }, 'with settings of its own')

  const stripped = copy()
  delete stripped.spec.initContainers[0]!['startupProbe']
  t.match(again(stripped), { kind: 'inject' }, 'without its startup probe')
  const tuned = copy()
  tuned.spec.initContainers[0]!.resources = { requests: { cpu: '50m' } }
  t.match(
    again(tuned),
    { kind: 'inject', warnings: [{ text: 'removed from akv-injector: requests.cpu' }] },
    'tuned by others',
  )
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
    const renewed = decide(withDefaults(mounting.pod), planInputs(later)) as Injected
    t.strictSame(
      renewed.pod.spec.containers?.[0]?.volumeMounts,
      [own, whole, { name: 'akv-injector-secrets', mountPath, readOnly: true }],
      `a user's own mounts stay beside ours at ${mountPath}`,
    )
  }

  const moved = copy()
  moved.metadata!.annotations!['azure.keyvault.injector/mount-path'] = '/secrets'
  const mounts = (again(moved) as Injected).pod.spec.containers?.[0]?.volumeMounts
  t.strictSame(
    mounts?.map(({ mountPath }) => mountPath),
    ['/secrets'],
    'to another place, and to that one only',
  )
})

void t.test('copied pods: live annotations that the administrator forbids are not projected', async (t) => {
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
  const again = decide(withDefaults(pod), planInputs(forbidding))
  t.equal(again.kind, 'inject', 'a copy from before the rule loses the file')
  t.notMatch(JSON.stringify((again as Injected).pod), /annotations\['azure.keyvault.injector.suspend'\]/)
})
