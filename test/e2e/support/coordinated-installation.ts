import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { audiencePrefix } from '../../../shared/coordination/limits.ts'
import { tokenAudience } from '../../../shared/names.ts'
import { openssl } from '../../support/openssl.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { kubectl, type KubernetesObject } from './kubectl.ts'
import { beside, install, newName, newTag, render, write } from './own-installation.ts'
import { readyPods } from './pods.ts'
import { untilReachable } from './reachable.ts'

/** An installation with a coordinator: the value of the namespaces' label, and the coordinator's identity. */
export interface Coordinated {
  label: string
  client: string
  /** Further components of manifests/components. */
  components?: string[]
  /** Whether a scenario stops the coordinator's process, which it can only if that is not the first of its process namespace. */
  isStoppable?: boolean
}

/** The timing of all of them, shorter than the defaults so that scenarios are short. */
export const timing = {
  ...{ watchInterval: '2s', heartbeat: '2s', coverageAge: '10s', reconnect: '2s' },
  ...{ startGrace: '30s', lostGrace: '20s', refusedAfter: '1s', turnGrace: '5s' },
}

/**
 * The one that scenarios of sessions use, the one that says where rotations are, those that grant turns, those with many pods, the one that
 * is lost in every way, and the one with Kubernetes Secrets.
 */
export const coordinated: Coordinated = { label: 'coordinated', client: '99999999-9999-4999-8999-999999999999' }
export const rotating: Coordinated = { label: 'rotating', client: '99999999-9999-4999-8999-999999999998' }
export const turning: Coordinated = { label: 'turning', client: '99999999-9999-4999-8999-999999999996' }
export const losing: Coordinated = { label: 'losing', client: '99999999-9999-4999-8999-999999999995' }
export const failing: Coordinated = { label: 'failing', client: '99999999-9999-4999-8999-999999999991' }
export const crowded: Coordinated = { label: 'crowded', client: '99999999-9999-4999-8999-999999999994' }
export const queueing: Coordinated = { label: 'queueing', client: '99999999-9999-4999-8999-999999999993' }
export const vanishing: Coordinated = {
  ...{ label: 'vanishing', client: '99999999-9999-4999-8999-999999999992' },
  isStoppable: true,
}
export const syncing: Coordinated = {
  ...{ label: 'syncing', client: '99999999-9999-4999-8999-999999999997' },
  components: ['sync'],
}

/** The namespace of an installation. */
export const namespaceOf = ({ label }: Coordinated): string => `akv-${label}`
const tenantId = '11111111-1111-1111-1111-111111111111'

/** A certificate that is its own authority. */
function makeCertificate(t: Test, host: string): { certificate: string; key: string } {
  const folder = temporaryFolder(t)
  const [key, certificate] = [`${folder}/tls.key`, `${folder}/tls.crt`]
  const subject = ['-subj', '/CN=coordinator', '-addext', `subjectAltName=DNS:${host}`]
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '2'],
    ...subject,
  )
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
}

/** What the workload identity webhook adds to a pod on AKS. */
const identityPatch = (client: string): string => `
  - target: {kind: Deployment, name: akv-injector-coordinator}
    patch: |-
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: AZURE_CLIENT_ID, value: ${client}}}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: AZURE_TENANT_ID, value: ${tenantId}}}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: AZURE_FEDERATED_TOKEN_FILE, value: /var/run/azure/token}}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: azure, mountPath: /var/run/azure}}
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: azure, projected: {sources: [{serviceAccountToken: {audience: '${tokenAudience}', path: token}}]}}}
`

const signalCoordinator = `
const fs = require('fs')
const isCoordinator = (pid) => fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0').includes('/app/coordinator.js')
const [pid] = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).filter(isCoordinator)
process.kill(Number(pid), process.argv[1])`
const stoppablePatch = `
  - target: {kind: Deployment, name: akv-injector-coordinator}
    patch: |-
      - {op: add, path: /spec/template/spec/shareProcessNamespace, value: true}
`

/** Installs the injector with a coordinator for namespaces with the label, beside the installation that other scenarios use. */
export async function installCoordinated(t: Test, installation: Coordinated) {
  const namespace = namespaceOf(installation)
  const { label, client, components = [], isStoppable = false } = installation
  const host = `akv-injector-coordinator.${namespace}.svc.cluster.local`
  const emulatorCa = await kubectl([
    'get',
    'configmap',
    '-n',
    'akv-injector-system',
    'key-vault-emulator-ca',
    '-o',
    'jsonpath={.data.ca\\.crt}',
  ])
  const { certificate, key } = makeCertificate(t, host)
  const cloud = {
    authorityHost: 'https://login.key-vault.svc.cluster.local',
    vaultSuffix: 'key-vault.svc.cluster.local',
    caCertificates: emulatorCa,
  }
  const configuration = {
    ...{ tenantId, cloud: 'Emulator', clouds: { Emulator: cloud }, bounds: { 'poll-interval': { min: '1s' } } },
    coordinator: {
      url: `https://${host}.:8443`,
      caCertificatesFile: '/etc/akv-injector-coordinator/ca.crt',
      vaults: [{ namespaces: ['*'], vaults: ['kv-*'] }],
      ...timing,
    },
  }
  const literal = JSON.stringify(`configuration.yaml=${JSON.stringify(configuration)}`)
  const folder = write(
    `e2e-${label}`,
    `namespace: ${namespace}
resources: [../../manifests/overlays/self-managed]
components: [${['coordinator', ...components].map((name) => `../../manifests/components/${name}`).join()}]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
configMapGenerator:
  - {name: akv-injector-configuration, namespace: akv-injector-system, behavior: replace, literals: [${literal}]}
generatorOptions: {disableNameSuffixHash: true}
patches:${identityPatch(client)}${isStoppable ? stoppablePatch : ''}`,
  )
  const secret: KubernetesObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'akv-injector-coordinator-certificate', namespace },
    stringData: { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': certificate },
  }
  const rendered = beside(await render(folder), label)
  const [first, ...rest] = rendered.toSorted((one) => (one.kind === 'Namespace' ? -1 : 1))
  await install(t, [first as KubernetesObject, secret, ...rest])
  await untilReachable(t, namespace, label)
  await readyPods(namespace, 'app.kubernetes.io/name=akv-injector-coordinator', 1, 60)
  return {
    authority: certificate,
    audience: `${audiencePrefix}replicaset/web`,
    host,
    scale: (replicas: number) =>
      kubectl(['scale', '-n', namespace, 'deployment/akv-injector-coordinator', `--replicas=${replicas}`]),
    /** Sends the coordinator's process a signal, if the installation is stoppable. */
    signal: (name: 'SIGSTOP' | 'SIGCONT') =>
      kubectl([
        ...['exec', '-n', namespace, 'deployment/akv-injector-coordinator', '--'],
        ...['/nodejs/bin/node', '-e', signalCoordinator, name],
      ]),
  }
}
