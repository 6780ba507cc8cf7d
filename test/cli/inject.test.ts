import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import jsonPatch from 'fast-json-patch'
import t from 'tap'
import { parseAllDocuments, stringify } from 'yaml'
import { injectDocuments, type InjectOptions, type Report } from '../../cli/inject.ts'
import { runProgram } from '../../cli/program.ts'
import { createLogger } from '../../shared/log.ts'
import { patchOf } from '../../webhook/inject/patch.ts'
import { goldenNames, inputsOf, readGoldenCase } from '../support/golden-case.ts'
import { decide } from '../support/decide.ts'
import { clientId, configurationOf, planInputs, tenantId } from '../webhook/default-configuration.ts'

const root = join(import.meta.dirname, '../..')
const { image, version } = planInputs()
const optionsFor = (changes: Partial<InjectOptions> = {}): InjectOptions => ({
  namespace: 'shop',
  clientId,
  configuration: configurationOf(),
  image,
  version,
  log: createLogger('error'),
  ...changes,
})

async function injected(
  text: string,
  changes: Partial<InjectOptions> = {},
): Promise<{ text: string; reports: Report[] }> {
  const result = await injectDocuments(text, optionsFor(changes))
  if (!result.ok) throw new Error(result.problems.join('; '))
  return result.value
}

const label = { 'azure.workload.identity/use': 'true' }
const annotations = { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': 'db-password' }
const template = { metadata: { labels: label, annotations }, spec: { containers: [{ name: 'app', image: 'app:1' }] } }

for (const name of goldenNames) {
  void t.test(`inject: the golden pod ${name} gets what the webhook gives it`, async (t) => {
    const given = readGoldenCase(name)
    const { pod, limitRanges = [], secretProviderClasses = {} } = given
    // Without the option, everything is as new as the injector can use.
    const apiServer = given.oldestKubelet ?? 'v1.37.0'
    const inputs = { ...inputsOf(given), oldestKubelet: apiServer, apiServer }
    const { configuration, serviceAccount } = inputs
    const oldestKubelet = given.oldestKubelet === undefined ? {} : { oldestKubelet: given.oldestKubelet }
    const classes = Object.entries(secretProviderClasses)
    const decision = decide(pod, inputs)

    const metadata = (name: string) => ({ name, namespace: 'shop' })
    const objects = [
      { apiVersion: 'v1', kind: 'Pod', ...pod },
      {
        ...{ apiVersion: 'v1', kind: 'Namespace' },
        metadata: {
          name: 'shop',
          ...given.namespace,
          labels: { 'azure.keyvault.injector/injection': 'enabled', ...given.namespace?.labels },
        },
      },
      ...(serviceAccount
        ? [
            {
              ...{ apiVersion: 'v1', kind: 'ServiceAccount', ...serviceAccount },
              metadata: { ...metadata(pod.spec.serviceAccountName ?? 'default'), ...serviceAccount },
            },
          ]
        : []),
      ...classes.map(([name, spec]) => ({ kind: 'SecretProviderClass', metadata: metadata(name), spec })),
      ...limitRanges.map(({ name, ...limit }) => ({
        ...{ kind: 'LimitRange', metadata: metadata(name) },
        spec: { limits: [limit] },
      })),
    ]
    const text = objects.map((object) => `---\n${stringify(object)}`).join('')
    const result = await injectDocuments(text, {
      ...{ namespace: 'shop', configuration, image, version, log: createLogger('error') },
      ...oldestKubelet,
    })
    if (!result.ok) throw new Error(result.problems.join('; '))
    const [report] = result.value.reports
    const [first] = parseAllDocuments(result.value.text)
    const written = first?.toJS() as unknown
    if (decision.kind !== 'inject') {
      t.equal(report?.outcome, decision.kind === 'deny' ? 'denied' : 'skipped')
      t.equal(result.value.text, text, 'what is not injected is left as it was, byte for byte')
      if (decision.kind === 'deny') t.strictSame(report?.problems, decision.problems)
      return
    }
    const patched = jsonPatch.applyPatch(structuredClone(pod), patchOf(pod, decision.pod)).newDocument
    t.strictSame(written, JSON.parse(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...patched })))
    t.match(report, { kind: 'Pod', namespace: 'shop', outcome: 'injected' })
    t.strictSame(report?.warnings, decision.warnings)
  })
}

void t.test('inject: every kind of workload is injected, also in Lists', async (t) => {
  const workloads = [
    ...['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'].map((kind) => ({
      apiVersion: 'apps/v1',
      kind,
      spec: { template },
    })), // the same place
    { apiVersion: 'batch/v1', kind: 'Job', spec: { template } },
    { apiVersion: 'batch/v1', kind: 'CronJob', spec: { jobTemplate: { spec: { template } } } },
    { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', spec: { template } },
    { apiVersion: 'serving.knative.dev/v1', kind: 'Service', spec: { template } },
  ].map((workload) => ({ ...workload, metadata: { name: workload.kind.toLowerCase() } }))
  const untouched = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { template } }
  for (const text of [
    [...workloads, untouched].map((one) => stringify(one)).join('---\n'),
    stringify({ apiVersion: 'v1', kind: 'List', items: [...workloads, untouched] }),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...workloads, untouched] }),
  ]) {
    const result = await injected(text)
    t.strictSame(
      result.reports.map(({ kind, name, outcome }) => [kind, name, outcome]),
      workloads.map(({ kind, metadata: { name } }) => [kind, name, 'injected']),
    )
    const count = result.text.match(/azure\.keyvault\.injector\/status"?: "?injected/g)
    t.equal(count?.length, workloads.length)
  }
})

void t.test('inject: comments, quotes, field order and other documents stay; an alias becomes a copy', async (t) => {
  const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n    key:   "1"   # kept\n'
  const text = `${other}---
# the app
apiVersion: v1
kind: Pod
metadata:
  labels: &labels {azure.workload.identity/use: "true"}
  annotations: {azure.keyvault.injector/vault: my-kv, azure.keyvault.injector/objects: db-password}
  name: web # its name
spec:
  nodeSelector: *labels
  containers:
  - name: web # first
    image: 'web:1'
`
  const { text: written } = await injected(text)
  t.match(written, /^# the app$/m)
  t.match(written, /name: web # its name/)
  t.match(written, /^ {2}- name: web # first\n {4}image: 'web:1'$/m, 'lists stay as far to the left as they were')
  t.match(written, /key:\s+"1"\s+# kept/)
  const pod = parseAllDocuments(written)[1]?.toJS() as { spec: { nodeSelector: object } }
  t.strictSame(pod.spec.nodeSelector, label)
})

void t.test(
  'inject: a Namespace in the input decides by its label; a namespace that is absent counts as labelled',
  async (t) => {
    const pod = stringify({ apiVersion: 'v1', kind: 'Pod', ...template })
    const namespaceWith = (labels: object) =>
      `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } })}`
    t.match((await injected(pod)).reports, [{ outcome: 'injected' }])
    t.match((await injected(pod + namespaceWith({ 'azure.keyvault.injector/injection': 'enabled' }))).reports, [
      { outcome: 'injected' },
    ])
    const left = await injected(pod + namespaceWith({}))
    t.match(left.reports, [{ outcome: 'skipped', summary: /namespace shop does not have the label/ }])
    t.equal(left.text, pod + namespaceWith({}))
    const reported = await injected(pod + namespaceWith({ 'azure.keyvault.injector/injection': 'report' }))
    t.match(reported.reports, [{ outcome: 'skipped', summary: /report, so its pods are not changed/ }])
  },
)

void t.test('inject: an injected document is left alone the second time', async (t) => {
  const first = await injected(stringify({ apiVersion: 'apps/v1', kind: 'Deployment', spec: { template } }))
  const second = await injected(first.text)
  t.equal(second.text, first.text)
  t.match(second.reports, [{ outcome: 'skipped', summary: /has the sidecar that it would get/ }])
})

void t.test('inject: a document that is not a manifest is an error that names it', async (t) => {
  t.match(await injectDocuments('a: 1\n---\nb: [', optionsFor()), {
    ok: false,
    problems: [/^document 2: not valid YAML/],
  })
  t.match(await injectDocuments('# nothing\n', optionsFor()), { ok: false, problems: [/no Kubernetes object/] })
})

void t.test('command line: standard input, exit codes, JSON reports and help', async (t) => {
  const folder = t.testdir()
  const run = async (args: string[], input = '') => {
    const result = { status: 0, stdout: '', stderr: '' }
    await runProgram(args, {
      version,
      read: async (file) => (file === '-' ? input : readFile(file, 'utf8')),
      out: (text) => (result.stdout += text),
      err: (text) => (result.stderr += text),
      exit: (code) => (result.status = code),
    })
    return result
  }
  const pod = stringify({ apiVersion: 'v1', kind: 'Pod', ...template })
  const ids = ['--tenant-id', tenantId, '--client-id', clientId]
  const good = await run(['inject', '-f', '-', ...ids], pod)
  t.equal(good.status, 0)
  t.match(good.stdout, /name: akv-injector/)
  t.match(good.stderr, /^Pod default\/\(unnamed\): injected \(mode native, 1 object\)\n/)

  const file = join(folder, 'pod.yaml')
  writeFileSync(file, pod.replace('my-kv', 'not a vault'))
  const denied = await run(['inject', '-f', file, '-f', '-', '--json', ...ids], pod)
  t.equal(denied.status, 1, 'something was denied')
  const [first, second] = denied.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Report)
  t.match(first, { outcome: 'denied', problems: [{ reason: 'bad-annotation' }] })
  t.match(second, { outcome: 'injected' }, 'and the other file was injected')

  t.match(await run(['inject']), { status: 2, stderr: /required option '-f, --filename <file>'/ })
  t.match(await run(['inject', '-f', join(folder, 'none.yaml')]), { status: 2, stderr: /none\.yaml/ })
  writeFileSync(file, 'polInterval: 1m\n')
  t.match(await run(['inject', '-f', '-', '-c', file], pod), {
    status: 2,
    stderr: /unknown field "polInterval"/,
    stdout: '',
  })
  t.match(await run(['explain', 'clash']), { status: 0, stdout: /^clash \(the pod is denied\): / })
  t.match(await run(['explain', 'RoleMissing']), { status: 0, stdout: /an Event on a SecretProviderClass/ })
  t.match(await run(['explain', 'sidecar-gone']), {
    status: 0,
    stdout: /^sidecar-gone \(the sidecar\): the vault has no/,
  })
  t.match(await run(['explain', 'clahs']), { status: 2, stderr: /did you mean "clash"/ })
  t.match(await run(['--help']), { status: 0, stdout: /Usage: akv-injector/ })
})

void t.test('command line: the process reads standard input and ends with its exit code', async (t) => {
  t.setTimeout(120_000)
  const input = stringify({ apiVersion: 'v1', kind: 'Pod', ...template })
  const args = [join(root, 'cli/main.ts'), 'inject', '-f', '-', '--client-id', clientId]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { input, encoding: 'utf8' })
  t.equal(status, 1)
  t.equal(stdout, input)
  t.match(stderr, /^Pod default\/\(unnamed\): denied\n {2}no-identity: /)
})
