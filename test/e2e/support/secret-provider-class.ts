import type { Test } from 'tap'
import { apply, kubectl, tryKubectl } from './kubectl.ts'

const name = 'secretproviderclasses.secrets-store.csi.x-k8s.io'

/** Whether the cluster knows the kind already, because the driver or a test before has installed it. */
export const hasDefinition = async (): Promise<boolean> => (await tryKubectl(['get', 'crd', name])).code === 0

/** Makes SecretProviderClasses known to the cluster until the test ends, as the driver's own definition does, as far as we read them. */
export async function installDefinition(t: Test): Promise<void> {
  if (await hasDefinition()) return
  t.teardown(() => kubectl(['delete', 'crd', name]))
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  await apply({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: 'secrets-store.csi.x-k8s.io',
      scope: 'Namespaced',
      names: { plural: 'secretproviderclasses', singular: 'secretproviderclass', kind: 'SecretProviderClass' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open } } },
        },
      ],
    },
  })
  await kubectl(['wait', '--for=condition=Established', `crd/${name}`, '--timeout=30s'])
}

/** A class of the Azure provider; objects are the lines of each object's text. */
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
