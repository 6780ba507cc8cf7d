import { randomBytes } from 'node:crypto'
import t from 'tap'
import { environmentContainer, environmentScript, injectionLabel } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'
import { apply, kubectl, tryApply } from './support/kubectl.ts'
import { installHalves } from './support/own-installation.ts'
import { getPod, statusOf } from './support/pods.ts'
import { untilSigterm } from './support/variables.ts'

void t.test('environment variables: an old kubelet', async (t) => {
  await t.test('the container that checks ends with a sentence if a variable is empty', async (t) => {
    const namespace = await makeTeam(t, { [injectionLabel]: 'disabled' })
    const check = {
      ...{ name: environmentContainer, script: '', image: process.env['E2E_IMAGE'] },
      ...{ command: ['/nodejs/bin/node', environmentScript, 'app'] },
    }
    const env = [
      { name: 'AKV_ENV_DB_PASSWORD', value: '' },
      { name: 'AKV_ENV_OTHER', value: 'x' },
    ]
    const options = { initContainers: [{ ...check, env }], containers: [{ name: 'app', script: untilSigterm }] }
    await apply(pod(namespace, 'app', { ...options, spec: { restartPolicy: 'Never' } }))
    const ended = await eventually(
      'it ends',
      async () => statusOf(await getPod(namespace, 'app'), environmentContainer)?.state.terminated,
    )
    t.equal(ended.exitCode, 1)
    t.match(
      ended.message,
      /^the kubelet of this node set the environment variable DB_PASSWORD empty, so it is older than/,
    )
    t.equal(statusOf(await getPod(namespace, 'app'), 'app')?.state.running, undefined, 'the app does not start')
  })

  await t.test('a node with one leads to a denial', async (t) => {
    const name = `old-${randomBytes(4).toString('hex')}`
    const node = {
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'akv-injector-e2e': 'true' } } },
      spec: { unschedulable: true, taints: [{ key: 'akv-injector-e2e', effect: 'NoExecute' }] },
    }
    // The webhook of this installation reads the nodes when it starts, and that of the others every ten minutes.
    await apply(node)
    t.teardown(() => kubectl(['delete', 'node', name, '--ignore-not-found']))
    const status = { status: { nodeInfo: { kubeletVersion: 'v1.34.9' } } }
    await kubectl(['patch', 'node', name, '--subresource=status', '--type=merge', '-p', JSON.stringify(status)])
    await installHalves(t, 'old-kubelet', 'akv-injector-outdated')
    await kubectl(['delete', 'node', name])
    const namespace = await makeTeam(t, { [injectionLabel]: 'old-kubelet' })
    const asking = (more: Record<string, string>) =>
      pod(namespace, 'app', {
        annotations: { vault: 'my-kv', objects: 'a', ...more },
        containers: [{ name: 'app', script: untilSigterm }],
      })
    const denied = await tryApply([asking({ env: 'A=a' })], '--dry-run=server')
    t.equal(denied.code, 1)
    t.match(
      denied.stderr,
      /env needs Kubernetes 1\.35 on the API server and every node, and a node runs v1\.34\.9: upgrade/,
    )
    const other = await tryApply([asking({})], '--dry-run=server')
    t.equal(other.code, 0, `a pod without variables is admitted: ${other.stderr}`)
  })
})
