import { join } from 'node:path'
import { createAuthority, issueLeaf } from '../../../certs/authority.ts'
import type { Deployment } from '../../../cli/check/objects.ts'
import { encode } from '../../../shared/kubernetes/responses.ts'
import { manifests, written, type Manifest } from '../../manifests/rendered.ts'
import { canary, createCluster, now, system, type FakeCluster } from './cluster.ts'

export const host = `akv-injector-coordinator.${system}.svc.cluster.local`
export const secretName = 'akv-injector-coordinator-certificate'
const day = 86_400_000

/** Keys take a while to create, so all clusters of a test share them. */
const issued = issue([host])

/** A certificate for the coordinator with its authority, both valid for 30 days from a day ago. */
export async function issue(names: string[]) {
  const issuedAt = now - day
  const { authority, key } = await createAuthority({ now: issuedAt, lifetimeMs: 30 * day })
  return { authority, leaf: await issueLeaf({ authority, key, names, now: issuedAt, lifetimeMs: 30 * day }) }
}

/** The administrator's file that names the coordinator. */
export const withCoordinator = (url = `https://${host}.:8443`): string =>
  JSON.stringify({
    coordinator: {
      url,
      caCertificatesFile: '/etc/akv-injector-coordinator/ca.crt',
      vaults: [{ namespaces: ['*'], vaults: ['*'] }],
    },
  })

export const setConfiguration = (cluster: FakeCluster, text: string): void => {
  cluster.find('ConfigMap', 'akv-injector-configuration')['data'] = { 'configuration.yaml': text }
}

/** A healthy cluster that also has the program for Kubernetes Secrets and the coordinator. */
export async function createClusterWithPrograms(): Promise<FakeCluster> {
  const cluster = await createCluster()
  const { authority, leaf } = await issued
  const added = ['sync', 'coordinator'].flatMap((name) => structuredClone(written(join(manifests, 'components', name))))
  for (const one of added) if (one.kind === 'Deployment') one['status'] = { availableReplicas: 1, updatedReplicas: 1 }
  cluster.objects.push(...added, ...discovery, {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: secretName, namespace: system } },
    data: { 'tls.crt': encode(leaf.pem), 'tls.key': encode(canary), 'ca.crt': encode(authority.pem) },
  })
  setConfiguration(cluster, withCoordinator())
  // What the component's patches add.
  for (const half of ['akv-injector', 'akv-injector-standby']) {
    const { spec } = cluster.find<Manifest & Deployment>('Deployment', half)
    const { volumes = [], containers: [container] = [] } = spec.template.spec
    volumes.push({ name: 'coordinator-authority', secret: { secretName } })
    container?.volumeMounts?.push({ name: 'coordinator-authority', mountPath: '/etc/akv-injector-coordinator' })
  }
  return cluster
}

/** What every cluster has: all ServiceAccounts may read the keys of their tokens. */
const name = 'system:service-account-issuer-discovery'
const discovery: Manifest[] = [
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name } },
    rules: [{ nonResourceURLs: ['/.well-known/openid-configuration', '/openid/v1/jwks'], verbs: ['get'] }],
  },
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name } },
    roleRef: { kind: 'ClusterRole', name },
    subjects: [{ kind: 'Group', name: 'system:serviceaccounts' }],
  },
]
