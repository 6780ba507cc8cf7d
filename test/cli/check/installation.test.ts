import t, { type Test } from 'tap'
import { createCluster, now, runCheck, wrong } from './cluster.ts'
import { installationCases } from './installation-cases.ts'
import { registrationCases, type Case } from './registration-cases.ts'

void t.test('check: a healthy installation has no finding but OK, of every check', async (t) => {
  const outcome = await runCheck(t, await createCluster())
  t.strictSame(wrong(outcome), [])
  t.equal(outcome.code, 0)
  t.equal(outcome.err, '')
  t.match(outcome.out, /^\d+ OK, 0 WARN, 0 FAIL$/m)
  t.strictSame([...new Set(outcome.findings.map(({ check }) => check))].sort(), [
    'certificate',
    'configuration',
    'dry-run',
    'halves',
    'installation',
    'namespaces',
    'permissions',
    'policies',
    'registrations',
    'versions',
  ])
})

void t.test('check: tries no pod in a namespace that is being deleted', async (t) => {
  const cluster = await createCluster()
  const labels = { 'azure.keyvault.injector/injection': 'enabled' }
  const metadata = { name: 'a-former', labels, deletionTimestamp: '2026-06-01T00:00:00Z' }
  cluster.objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata })
  t.match((await runCheck(t, cluster)).out, /OK {4}dry-run: a pod in namespace shop:/)
})

void t.test('check: expects no injection in kube-system or a namespace with the system label', async (t) => {
  const injection = 'azure.keyvault.injector/injection'
  const system = { 'azure.keyvault.injector/system': 'true' }
  const asks = { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': 'db-password' }
  const table = [
    ['kube-system', {}, 'belongs to Kubernetes'],
    ['kube-system', system, 'belongs to Kubernetes'],
    ['addons', system, 'has the label azure.keyvault.injector/system: "true"'],
  ] as const
  for (const [name, more, cause] of table) {
    const cluster = await createCluster()
    const pod = { name: 'web-0', namespace: name, labels: { 'azure.workload.identity/use': 'true' }, annotations: asks }
    cluster.objects.push(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { [injection]: 'enabled', ...more } } },
      { apiVersion: 'v1', kind: 'Pod', metadata: pod, ...{ spec: { containers: [{ name: 'app' }] } } },
    )
    const finding = `FAIL namespaces: namespace ${name}: ${cause}, so that none of its pods is injected`
    t.strictSame(wrong(await runCheck(t, cluster, '--pod', `${name}/web-0`)), [finding])
    t.strictSame(wrong(await runCheck(t, cluster, '-n', name)), [
      finding,
      `WARN dry-run: a pod in namespace ${name}: is not tried, because it would not be injected`,
    ])
    const { out } = await runCheck(t, cluster)
    t.match(out, 'OK    namespaces: namespaces: 1 labeled for injection')
    t.match(out, 'OK    dry-run: a pod in namespace shop:')
  }
})

const finds = async (t: Test, { breaks, finds, remedy, flags = [], code = 1 }: Case): Promise<void> => {
  const cluster = await createCluster()
  breaks(cluster)
  const outcome = await runCheck(t, cluster, ...flags)
  const found = wrong(outcome)
  t.equal(found.length, finds.length, found.join('\n'))
  for (const [index, pattern] of finds.entries()) t.match(found[index], pattern)
  t.match(outcome.findings.find(({ status }) => status !== 'OK')?.remedy, remedy)
  t.equal(outcome.code, code)
}

for (const one of [...registrationCases, ...installationCases])
  void t.test(`check: finds ${one.what}, and says what to do`, async (t) => finds(t, one))

void t.test('check: finds a certificate that expired, or should have been renewed', async (t) => {
  const day = 86_400_000
  for (const [days, pattern, code] of [
    [40, /^FAIL certificate: Secret .*: the certificate expired at 2026-/, 1],
    [25, /^WARN certificate: .*should have been renewed/, 0],
    [-3, /^FAIL certificate: .*is not valid before/, 1],
  ] as const) {
    const outcome = await runCheck(t, { ...(await createCluster()), now: now + days * day })
    t.match(wrong(outcome), [pattern])
    t.equal(outcome.code, code)
  }
})
