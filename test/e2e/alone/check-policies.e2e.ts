import { join } from 'node:path'
import t from 'tap'
import { failure, healthy } from '../support/check-command.ts'
import { apply, kubectl } from '../support/kubectl.ts'
import { manifests, written } from '../../manifests/rendered.ts'

const policies = written(join(manifests, 'base')).filter(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy'))

void t.test('check: finds each policy and binding that is missing', async (t) => {
  const shared = ['--system-namespace', 'akv-injector-system']
  t.teardown(() => apply(...policies))
  t.equal(policies.length, 4)
  for (const policy of policies) {
    const { kind, metadata } = policy
    await kubectl(['delete', kind, metadata.name])
    const finds = new RegExp(`^policies: ${kind} ${metadata.name}: does not exist: .* -> kubectl apply -k`)
    t.match(await failure(finds, ...shared), finds)
    await apply(policy)
    await healthy(...shared)
  }
})
