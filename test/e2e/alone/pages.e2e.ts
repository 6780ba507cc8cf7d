import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import { listing, pod } from '../support/apps.ts'
import { healthy } from '../support/check-command.ts'
import { eventually } from '../support/eventually.ts'
import { makeFixture } from '../support/fixture.ts'
import { apply, kubectl, list, tryKubectl } from '../support/kubectl.ts'
import { runPage, type Step } from '../support/page.ts'
import { readyPod } from '../support/pods.ts'
import * as sync from '../support/sync.ts'

const root = join(import.meta.dirname, '../../..')
const installed = join(root, 'dist/e2e')
const program = `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'dist/cli.js')}" "$@"\n`

/** Runs a page against what is installed; returns the output of the step that begins with a command. */
async function run(t: Test, page: string, replace: (text: string) => string): Promise<(begin: string) => string> {
  const { code, stdout, steps } = await runPage(join(root, 'docs', page), replace, { 'akv-injector': program })
  t.equal(code, 0, stdout)
  return (begin) => steps.find(({ command }: Step) => command.startsWith(begin))?.output ?? `no step ${begin}`
}

/** The pod `web-0` of the pages. */
async function makePod(t: Test) {
  const fixture = await makeFixture(t, { 'db-password': 'one' })
  const { namespace, vault } = fixture
  const annotations = { vault, objects: 'db-password', 'poll-interval': '1h' }
  await apply(pod(namespace, 'web-0', { annotations, containers: [{ name: 'app', script: listing }] }))
  await readyPod(namespace, 'web-0')
  return fixture
}

void t.test('pages: every command about operating works', async (t) => {
  const { namespace } = await makePod(t)
  await healthy()
  const output = await run(t, 'operating.md', (text) =>
    // Exit code 1 means that there are differences.
    text
      .replace(/^kubectl diff -k \.[^\n]*/, `kubectl diff -k ${installed} || [ $? = 1 ]`)
      .replace('-k .', `-k ${installed}`),
  )
  const upgrade = output('kubectl diff')
  t.match(upgrade, /deployment "akv-injector" successfully rolled out/)
  t.match(upgrade, /deployment "akv-injector-standby" successfully rolled out/)
  t.match(upgrade, /^\d+ OK, \d+ WARN, 0 FAIL$/m)
  t.match(output('kubectl get pods'), new RegExp(`^${namespace} +web-0 +\\d+\\.\\d+\\.\\d+`, 'm'))
})

void t.test('pages: every command about troubleshooting works', async (t) => {
  const { namespace, emulator, vault } = await makePod(t)
  await healthy()
  await emulator.setSecret(vault, 'db-password', 'two')
  const port = await freePort()
  const output = await run(t, 'troubleshooting.md', (text) =>
    text
      .replaceAll('my-team', namespace)
      .replace(/^(kubectl port-forward .*) 20471\n/, `$1 ${port}:20471 >&2 &\ntrap 'kill %1' EXIT\n`)
      .replace(
        /^curl http:\/\/localhost:20471/,
        `curl --retry 30 --retry-delay 1 --retry-all-errors http://localhost:${port}`,
      ),
  )
  t.match(output('akv-injector check'), /^\d+ OK, \d+ WARN, 0 FAIL$[^]*^\d+ OK, \d+ WARN, 0 FAIL$/m)
  t.match(output('curl'), new RegExp(`"vault":.*${vault}`))
  t.match(output('kubectl get mutating'), /akv-injector [^]*zz-akv-injector-env /)
  await eventually('the pod has the new value', async () => {
    const { metadata } = (await list(namespace, 'pods'))[0] ?? { metadata: {} }
    t.match(metadata.annotations, { 'azure.keyvault.injector/refresh': /^\d+$/ })
    const read = ['exec', '-n', namespace, 'web-0', '-c', 'app', '--', 'cat', '/mnt/secrets/db-password']
    return (await kubectl(read)) === 'two'
  })
})

void t.test(
  'pages: the command about Kubernetes Secrets makes the Role that lets the program write them',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { password: 'one' })
    const secretObjects = [sync.opaque('db', { password: 'password' })]
    await sync.applyClass(t, fixture, { objects: [sync.secretLines('password')], secretObjects })
    await run(t, 'kubernetes-secrets.md', (text) => text.replace('-n shop', `-n ${fixture.namespace}`))
    await sync.secretHas(fixture.namespace, 'db', { password: 'one' })
  },
)

/** The kinds of the Prometheus operator that manifests/monitoring has, without their schemas. */
const operatorKinds = ['PodMonitor', 'PrometheusRule'].map((kind) => {
  const plural = `${kind.toLowerCase()}s`
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      ...{ group: 'monitoring.coreos.com', scope: 'Namespaced', names: { plural, kind } },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: open } }],
    },
  }
})

void t.test('pages: the command about monitoring applies alerts, scrape configuration and dashboard', async (t) => {
  for (const kind of operatorKinds) {
    const crd = `crd/${kind.metadata.name}`
    if ((await tryKubectl(['get', crd])).code === 0) continue
    t.teardown(() => kubectl(['delete', crd]))
    await apply(kind)
    await kubectl(['wait', '--for=condition=Established', '--timeout=30s', crd])
  }
  t.teardown(() => kubectl(['delete', '-k', join(root, 'manifests/monitoring'), '--ignore-not-found']))
  const applied = await kubectl(['apply', '-k', join(root, 'manifests/monitoring')])
  for (const line of ['configmap/akv-injector-dashboard', /prometheusrule.*created/, /podmonitor.*created/])
    t.match(applied, line)
})
