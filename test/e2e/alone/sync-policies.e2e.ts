import { join } from 'node:path'
import t from 'tap'
import { manifests, written } from '../../manifests/rendered.ts'
import { eventually } from '../support/eventually.ts'
import { apply, kubectl, toYaml, tryKubectl } from '../support/kubectl.ts'
import { logHas, readyPods } from '../support/pods.ts'
import type { Finished } from '../support/process.ts'
import * as sync from '../support/sync.ts'

const bindings = written(join(manifests, 'components/sync')).filter(
  ({ kind }) => kind === 'ValidatingAdmissionPolicyBinding',
)

const own = ['-n', 'akv-injector-system', sync.asProgram]

/** What each policy refuses, sent as the program. */
const forbidden: Record<string, () => Promise<Finished>> = {
  'akv-injector-sync-tokens': () =>
    tryKubectl(['create', 'token', 'akv-injector-sync', ...own, '--audience=x', '--duration=600s']),
  'akv-injector-sync-secrets': () =>
    tryKubectl(
      ['apply', '--server-side', '--field-manager=akv-injector-sync', '--dry-run=server', '-f', '-', ...own],
      toYaml([{ apiVersion: 'v1', kind: 'Secret', type: 'x', metadata: { name: 'akv-injector-sync-self-test' } }]),
    ),
}

void t.test('sync policies: a program that starts without one of them writes nothing until it is back', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { password: 'one' })
  const { namespace } = fixture
  t.teardown(() => apply(...bindings))
  t.equal(bindings.length, 2)
  for (const [index, binding] of bindings.entries()) {
    const { name } = binding.metadata
    await kubectl(['delete', binding.kind, name])
    await eventually('the API server refuses no more', async () => (await forbidden[name]?.())?.code === 0)
    const [old] = await sync.programPods()
    await kubectl(['rollout', 'restart', '-n', 'akv-injector-system', 'deployment/akv-injector-sync'])
    const pod = await eventually('one pod of the program says that the policy is missing', async () => {
      const [one, more] = await sync.programPods()
      const log = await kubectl(['logs', '-n', 'akv-injector-system', one?.metadata.name ?? ''])
      const isNext = more === undefined && one?.metadata.uid !== old?.metadata.uid
      return isNext && log.includes('no Secret is written') && log.includes(name) && one
    })
    const secretName = `db-${index}`
    await sync.applyRole(
      await sync.applyClass(t, fixture, {
        name: `class-${index}`,
        objects: [sync.secretLines('password')],
        secretObjects: [sync.opaque(secretName, { password: 'password' })],
      }),
    )
    await apply(binding)
    await logHas('akv-injector-system', pod.metadata.name ?? '', 'sync', 'both admission policies refuse')
    await readyPods('akv-injector-system', 'app.kubernetes.io/name=akv-injector-sync', 1)
    const { metadata } = await sync.secretHas(namespace, secretName, { password: 'one' })
    const log = await kubectl(['logs', '-n', 'akv-injector-system', pod.metadata.name ?? ''])
    const [before = ''] = log.split('both admission policies refuse')
    t.notMatch(before, /"event":"secret-write"/, `${metadata.name}: nothing is written before`)
  }
})
