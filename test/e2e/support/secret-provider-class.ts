import { join } from 'node:path'
import type { Lifetime } from './process.ts'
import { kubectl, tryKubectl } from './kubectl.ts'

const name = 'secretproviderclasses.secrets-store.csi.x-k8s.io'
const definition = join(import.meta.dirname, '../../../manifests/secret-provider-class/crd.yaml')

/** Whether the cluster already knows the kind, because the driver or an earlier test installed it. */
export const hasDefinition = async (): Promise<boolean> => (await tryKubectl(['get', 'crd', name])).code === 0

/** Defines SecretProviderClasses in the cluster until the test ends, as the manifest for clusters without the driver does. */
export async function installDefinition(t: Lifetime): Promise<void> {
  if (await hasDefinition()) return
  t.teardown(async () => {
    // Other scenarios may have begun to use it.
    const { stdout } = await tryKubectl(['get', 'secretproviderclasses', '--all-namespaces', '-o', 'name'])
    if (stdout.trim() === '') await kubectl(['delete', 'crd', name])
  })
  await kubectl(['apply', '-f', definition, '--validate=strict'])
  await kubectl(['wait', '--for=condition=Established', `crd/${name}`, '--timeout=30s'])
}

/** Returns a class of the Azure provider; objects are the lines of each object's text. */
export const secretProviderClass = (
  namespace: string,
  name: string,
  parameters: Record<string, string>,
  objects: string[][],
) => ({
  apiVersion: 'secrets-store.csi.x-k8s.io/v1',
  kind: 'SecretProviderClass',
  metadata: { name, namespace },
  spec: {
    provider: 'azure',
    parameters: {
      ...parameters,
      objects: ['array:', ...objects.flatMap((lines) => ['  - |', ...lines.map((line) => `    ${line}`)])].join('\n'),
    },
  },
})
