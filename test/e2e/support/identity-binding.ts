import type { Test } from 'tap'
import { emulatorNamespace, makeVault } from './emulator.ts'
import { apply, get, kubectl, toYaml, tryApply, type KubernetesObject } from './kubectl.ts'

interface Container {
  env?: object[]
  volumeMounts?: object[]
}

interface Injected extends KubernetesObject {
  spec: { containers: Container[]; initContainers: Container[]; volumes: object[] }
}

export const bindingAudience = 'api://AKSIdentityBinding'

/**
 * Creates a pod as AKS's workload identity webhook leaves it for an identity binding: with its token, the token proxy's variables and the
 * proxy's authority in every container of what the API server made of the pod before. The proxy is the emulator's token endpoint
 * under an address that no certificate names.
 * @returns the address
 */
export async function createBound(t: Test, namespace: string, pod: object, clientId: string): Promise<string> {
  const service = await makeVault(t)
  const { spec } = await get<KubernetesObject & { spec: { clusterIP: string } }>(emulatorNamespace, 'service', service)
  const { data } = await get<KubernetesObject & { data: object }>(
    'akv-injector-system',
    'configmap',
    'key-vault-emulator-ca',
  )
  await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'token-proxy-ca', namespace }, data })

  const { code, stdout, stderr } = await tryApply([pod], '--dry-run=server', '--output=json')
  if (code !== 0) throw new Error(stderr)
  const injected = JSON.parse(stdout) as Injected
  const folder = '/var/run/secrets/azure/wi'
  const variables = {
    AZURE_CLIENT_ID: clientId,
    AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111',
    AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com/',
    AZURE_FEDERATED_TOKEN_FILE: `${folder}/token/azure-identity-token`,
    AZURE_KUBERNETES_TOKEN_PROXY: `https://${spec.clusterIP}`,
    AZURE_KUBERNETES_SNI_NAME: `${service}.${emulatorNamespace}.svc.cluster.local`,
    AZURE_KUBERNETES_CA_FILE: `${folder}/ca/ca.crt`,
  }
  for (const container of [...injected.spec.initContainers, ...injected.spec.containers]) {
    container.env = [...(container.env ?? []), ...Object.entries(variables).map(([name, value]) => ({ name, value }))]
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name: 'azure-identity-token', mountPath: `${folder}/token`, readOnly: true },
      { name: 'token-proxy-ca', mountPath: `${folder}/ca`, readOnly: true },
    ]
  }
  const source = { audience: bindingAudience, expirationSeconds: 3600, path: 'azure-identity-token' }
  injected.spec.volumes.push(
    { name: 'azure-identity-token', projected: { sources: [{ serviceAccountToken: source }] } },
    { name: 'token-proxy-ca', configMap: { name: 'token-proxy-ca' } },
  )
  await kubectl(['create', '-f', '-'], toYaml([injected]))
  return spec.clusterIP
}
