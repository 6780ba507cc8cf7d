import { injectionLabel, standbyAnnotation } from '../../../shared/names.ts'
import { deployment, pod } from './apps.ts'
import { eventually } from './eventually.ts'
import { makeTeam } from './fixture.ts'
import { tryApply } from './kubectl.ts'
import { readyPods, type Pod } from './pods.ts'
import type { Lifetime } from './process.ts'

/**
 * Waits until an installation answers what the API server asks: its pods are ready, and the API server reaches them through both
 * Services, which the node's rules allow a moment later. It adds to no count of the standby for pods.
 * @param label the value of `injectionLabel` in the installation's namespaces
 * @param replicas how many pods both halves have
 * @returns these pods
 */
export async function untilReachable(t: Lifetime, system: string, label: string, replicas = 2): Promise<Pod[]> {
  const pods = await readyPods(system, 'app.kubernetes.io/name=akv-injector', replicas, 180)
  const namespace = await makeTeam(t, { [injectionLabel]: label })
  const asking = (annotations: Record<string, string>) => ({
    annotations: { vault: 'my-kv', objects: 'x', 'tenant-id': '00000000-0000-0000-0000-000000000001', ...annotations },
    containers: [{ name: 'app', script: 'true' }],
  })
  const dryRun = (one: object) => tryApply([one], '--dry-run=server', '-o', 'json')
  await eventually('the API server reaches the webhook', async () => {
    const { code, stdout, stderr } = await dryRun(pod(namespace, 'app', asking({})))
    return code === 0
      ? !stdout.includes(standbyAnnotation)
      : stderr.includes('"inject.azure.keyvault.injector" denied the request')
  })
  // The standby's Service reviews workloads. A review that fails is ignored, so the answer has to be a warning or a denial.
  await eventually('the API server reaches the standby', async () => {
    const { stderr } = await dryRun(deployment(namespace, 'app', 0, asking({ splay: 'soon' })))
    return stderr.includes('splay "soon"')
  })
  return pods
}
