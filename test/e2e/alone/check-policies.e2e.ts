import { join } from 'node:path'
import t from 'tap'
import { failure, healthy } from '../support/check-command.ts'
import { apply, kubectl } from '../support/kubectl.ts'
import { manifests, written } from '../../manifests/rendered.ts'

const policies = ['base', 'components/sync']
  .flatMap((folder) => written(join(manifests, folder)))
  .filter(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy'))
const shared = ['--system-namespace', 'akv-injector-system']

void t.test('check: finds each policy and binding that is missing', async (t) => {
  t.teardown(() => apply(...policies))
  t.equal(policies.length, 8)
  for (const policy of policies) {
    const { kind, metadata } = policy
    await kubectl(['delete', kind, metadata.name])
    const finds = new RegExp(`^policies: ${kind} ${metadata.name}: does not exist: .* -> kubectl apply -k`)
    t.match(await failure(finds, ...shared), finds)
    await apply(policy)
    await healthy(...shared)
  }
})

void t.test('check: finds that the program for Kubernetes Secrets is down or lacks a permission', async (t) => {
  const own = ['-n', 'akv-injector-system']
  const scale = (replicas: number) =>
    kubectl(['scale', ...own, 'deployment/akv-injector-sync', `--replicas=${replicas}`])
  t.teardown(() => scale(1))
  await scale(0)
  const down = /^programs: Deployment .*akv-injector-sync: is scaled to 0.* -> kubectl scale/
  t.match(await failure(down, ...shared), down)
  await scale(1)
  await healthy(...shared)

  const binding = written(join(manifests, 'components/sync')).find(({ kind }) => kind === 'ClusterRoleBinding')
  t.teardown(() => apply(binding!))
  await kubectl(['delete', 'clusterrolebinding', 'akv-injector-sync'])
  const forbidden = /^permissions: ServiceAccount .*akv-injector-sync: may not .*secretproviderclasses/
  t.match(await failure(forbidden, ...shared), forbidden)
  await apply(binding!)
  await healthy(...shared)
})
