import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, kubectl, tryApply } from './support/kubectl.ts'
import type { Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

interface Registration {
  webhooks: { name: string }[]
}

void t.test('review versions: an entry for AdmissionReview v1beta1 only is answered in v1beta1', async (t) => {
  const value = 'v1beta1'
  const namespace = await makeTeam(t, { [injectionLabel]: value })
  const live = JSON.parse(
    await kubectl(['get', 'mutatingwebhookconfiguration', 'akv-injector', '-o', 'json']),
  ) as Registration
  const inject = live.webhooks.find(({ name }) => name.startsWith('inject.'))
  const name = `akv-injector-${namespace}`
  t.teardown(() => kubectl(['delete', 'mutatingwebhookconfiguration', name]))
  await apply({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name, labels: { 'akv-injector-e2e': 'true' } },
    webhooks: [
      {
        ...inject,
        admissionReviewVersions: [value],
        namespaceSelector: { matchLabels: { [injectionLabel]: value, 'kubernetes.io/metadata.name': namespace } },
      },
    ],
  })
  const create = (annotations: Record<string, string>) =>
    tryApply(
      [pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })],
      '--dry-run=server',
      '-o',
      'json',
    )
  const wanted = { vault: 'my-kv', objects: 'db-password' }
  // A registration takes a moment to be in force.
  const injected = await eventually('the pod is injected', async () => {
    const { stdout } = await create(wanted)
    const { spec } = JSON.parse(stdout) as Pod
    return spec.initContainers?.some(({ name }) => name === sidecarContainer) && spec
  })
  t.ok(injected)
  const questionable = await create({ ...wanted, 'signal-container': 'app' })
  t.match(questionable.stderr, /Warning: add the annotation signal, or remove signal-container: it has no effect alone/)
  const refused = await create({ ...wanted, splay: 'soon', mode: 'nativ' })
  t.not(refused.code, 0)
  t.match(refused.stderr, /has 2 problems: .*mode "nativ".*splay "soon"/)
})
