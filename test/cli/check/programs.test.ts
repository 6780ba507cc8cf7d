import t from 'tap'
import type { Deployment } from '../../../cli/check/objects.ts'
import { encode } from '../../../shared/kubernetes/responses.ts'
import type { Manifest } from '../../manifests/rendered.ts'
import { createCluster, now, runCheck, system, wrong, type FakeCluster } from './cluster.ts'
import { createClusterWithPrograms, host, issue, secretName, setConfiguration, withCoordinator } from './programs.ts'
import type { Case } from './registration-cases.ts'

const deploymentOf = (cluster: FakeCluster, name: string) =>
  cluster.find<Manifest & Deployment>('Deployment', `akv-injector-${name}`)
const setCertificate = (cluster: FakeCluster, pem: string): void =>
  void Object.assign(cluster.find('Secret', secretName)['data'] as object, { 'tls.crt': encode(pem) })

void t.test(
  'check: the optional programs have no finding but OK if they are well, and none if they are absent',
  async (t) => {
    const outcome = await runCheck(t, await createClusterWithPrograms())
    t.strictSame(wrong(outcome), [])
    t.equal(outcome.code, 0)
    for (const line of [
      `programs: Deployment ${system}/akv-injector-sync: 1 of 1 available`,
      `programs: Deployment ${system}/akv-injector-coordinator: 1 of 1 available`,
      `permissions: ServiceAccount ${system}/akv-injector-sync: has each of the 10 permissions that the program for`,
      `permissions: ServiceAccount ${system}/akv-injector-coordinator: has each of the 2 permissions that the coordinator`,
      'policies: ValidatingAdmissionPolicy akv-injector-sync-tokens: exists and is bound',
      'policies: ValidatingAdmissionPolicy akv-injector-sync-secrets: exists and is bound',
      `certificate: Secret ${system}/${secretName}: the coordinator's certificate is valid until`,
      `configuration: administrator's file in ${system}: has no mistake`,
    ])
      t.ok(outcome.out.includes(`OK    ${line}`), line)
    t.notMatch((await runCheck(t, await createCluster())).out, /sync|coordinator|programs/)
  },
)

const other = await issue(['coordinator.example.com'])

const cases: Case[] = [
  {
    what: 'a program that is scaled to 0',
    breaks: (cluster) => (deploymentOf(cluster, 'sync').spec.replicas = 0),
    finds: [/^FAIL programs: Deployment .*\/akv-injector-sync: is scaled to 0; Kubernetes Secrets keep/],
    remedy: /kubectl scale -n akv-injector-system deployment\/akv-injector-sync --replicas=1/,
  },
  {
    what: 'a coordinator that does not start',
    breaks(cluster) {
      deploymentOf(cluster, 'coordinator').status = {}
      cluster.objects.push({
        ...{ apiVersion: 'v1', kind: 'Pod', spec: { containers: [] } },
        metadata: {
          name: 'akv-injector-coordinator-1',
          namespace: system,
          labels: { 'app.kubernetes.io/name': 'akv-injector-coordinator' },
        },
        status: { containerStatuses: [{ name: 'coordinator', ready: false, state: { waiting: { reason: 'ErrX' } } }] },
      })
    },
    finds: [/^FAIL programs: .*akv-injector-coordinator: has no available pod; pods poll meanwhile: .*-1: ErrX$/],
    remedy: /kubectl describe pod -n akv-injector-system -l app.kubernetes.io\/name=akv-injector-coordinator/,
  },
  {
    what: 'a program of another image',
    breaks(cluster) {
      for (const one of deploymentOf(cluster, 'sync').spec.template.spec.containers ?? []) one.image = 'akv-injector:0'
    },
    finds: [/^WARN programs: .*akv-injector-sync: runs the image akv-injector:0, and the webhook akv-injector:0\.1\.0/],
    remedy: /images:/,
    code: 0,
  },
  {
    what: 'a program under another name than its policies expect',
    breaks(cluster) {
      deploymentOf(cluster, 'sync').spec.template.spec.serviceAccountName = 'akv-injector'
    },
    finds: [
      /^FAIL programs: .*runs as the ServiceAccount akv-injector, which the policies do not match/,
      /may not/,
      /may not/,
    ],
    remedy: /akv-injector-sync/,
  },
  {
    what: 'a binding that the program for Kubernetes Secrets lacks',
    breaks: (cluster) => cluster.remove('RoleBinding', 'akv-injector-sync'),
    finds: [
      /^FAIL permissions: .*\/akv-injector-sync: may not create serviceaccounts\/token "akv-injector-sync" in namespace/,
      /may not create, patch secrets "akv-injector-sync-self-test" in namespace/,
    ],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'keys of tokens that the coordinator may not read',
    breaks: (cluster) => cluster.remove('ClusterRoleBinding', 'system:service-account-issuer-discovery'),
    finds: [
      /akv-injector-coordinator: may not get \/\.well-known\/openid-configuration/,
      /may not get \/openid\/v1\/jwks/,
    ],
    remedy: /ClusterRole/,
  },
  {
    what: 'a policy that the program for Kubernetes Secrets lacks',
    breaks: (cluster) => cluster.remove('ValidatingAdmissionPolicy', 'akv-injector-sync-tokens'),
    finds: [/^FAIL policies: ValidatingAdmissionPolicy akv-injector-sync-tokens: does not exist: .*writes nothing/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a coordinator without its certificate',
    breaks: (cluster) => cluster.remove('Secret', secretName),
    finds: [
      /^FAIL certificate: Secret .*\/akv-injector-coordinator-certificate: does not exist/,
      /^WARN configuration: .*ca\.crt/,
    ],
    remedy: /coordinator\.md#install/,
  },
  {
    what: 'a certificate for another host',
    breaks: (cluster) => setConfiguration(cluster, withCoordinator('https://coordinator.example.com:8443')),
    finds: [/^FAIL certificate: .*the certificate is not for coordinator\.example\.com, so that pods poll/],
    remedy: /create it again/,
  },
  {
    what: 'a certificate that pods do not trust',
    breaks: (cluster) => setCertificate(cluster, other.leaf.pem),
    finds: [new RegExp(`^FAIL certificate: .*is not for ${host}`), /administrator's file names do not verify it/],
    remedy: /create it again/,
  },
  {
    what: 'a coordinator that the file does not name',
    breaks: (cluster) => setConfiguration(cluster, ''),
    finds: [/^WARN programs: .*akv-injector-coordinator: serves no pod/],
    remedy: /add `coordinator`/,
    code: 0,
  },
  {
    what: 'a coordinator that the file names and that is not installed',
    breaks: (cluster) => cluster.remove('Deployment', 'akv-injector-coordinator'),
    finds: [/^WARN programs: Deployment .*akv-injector-coordinator: does not exist, although/],
    remedy: /components\/coordinator/,
    code: 0,
  },
]

for (const { what, breaks, finds, remedy, code = 1 } of cases)
  void t.test(`check: finds ${what}, and says what to do`, async (t) => {
    const cluster = await createClusterWithPrograms()
    breaks(cluster)
    const outcome = await runCheck(t, cluster)
    const found = wrong(outcome)
    t.equal(found.length, finds.length, found.join('\n'))
    for (const [index, pattern] of finds.entries()) t.match(found[index], pattern)
    t.match(outcome.findings.find(({ status }) => status !== 'OK')?.remedy, remedy)
    t.equal(outcome.code, code)
  })

void t.test('check: finds a certificate of the coordinator that expired', async (t) => {
  const day = 86_400_000
  const outcome = await runCheck(t, { ...(await createClusterWithPrograms()), now: now + 40 * day })
  const expired = new RegExp(`^FAIL certificate: Secret .*/${secretName}: the certificate expired at`)
  t.ok(
    wrong(outcome).some((line) => expired.test(line)),
    wrong(outcome).join('\n'),
  )
})
