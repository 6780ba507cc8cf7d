import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { runProgram } from '../../../cli/program.ts'
import { freePort } from '../../support/free-port.ts'
import { createCluster, runCheck, wrong } from './cluster.ts'

/** Runs the command with a kubeconfig, and connects for real. */
async function run(...flags: string[]): Promise<{ out: string; err: string; code: number }> {
  const result = { out: '', err: '', code: 0 }
  await runProgram(['check', ...flags], {
    version: '0.1.0',
    read: () => Promise.reject(new Error('the command reads no file')),
    out: (text) => (result.out += text),
    err: (text) => (result.err += text),
    exit: (code) => (result.code = code),
  })
  return result
}

/** Writes a kubeconfig with one context, and returns its path. */
function kubeconfig(t: Test, cluster: object, user: object = { token: 'x' }): string {
  const file = join(t.testdir(), 'kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'one', cluster: { 'insecure-skip-tls-verify': true, ...cluster } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'here', context: { cluster: 'one', user: 'me' } }],
    'current-context': 'here',
  }
  writeFileSync(file, stringify(config))
  return file
}

/** An API server with one answer to everything but its version; returns its address and the tokens that it got. */
async function server(t: Test, status: number): Promise<{ server: string; tokens: (string | undefined)[] }> {
  const tokens: (string | undefined)[] = []
  const listener = http.createServer(({ url, headers }, response) => {
    tokens.push(headers.authorization)
    const isVersion = url === '/version'
    response.writeHead(isVersion ? 200 : status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isVersion ? { gitVersion: 'v1.37.0' } : { message: 'no', items: [] }))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => {
    listener.close()
    listener.closeAllConnections()
  })
  return { server: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`, tokens }
}

void t.test('check: exits with 2 if the cluster cannot be reached or does not know the caller', async (t) => {
  const unreachable = await run('--kubeconfig', kubeconfig(t, { server: `http://127.0.0.1:${await freePort()}` }))
  t.match(unreachable, { code: 2, out: '', err: /^akv-injector check: .*ECONNREFUSED/ })
  const unknown = await run('--kubeconfig', kubeconfig(t, { server: (await server(t, 401)).server }))
  t.match(unknown, { code: 2, out: '', err: /does not accept the credentials/ })
})

void t.test('check: exits with 2 if the API server does not answer in time', async (t) => {
  const cluster = await createCluster()
  const call = () => Promise.reject(new Error('GET /version: no answer in time'))
  t.match(await runCheck(t, { ...cluster, call }), { code: 2, err: 'no answer in time' })
  cluster.forbidden = ['/version']
  t.match(wrong(await runCheck(t, cluster)), [/^WARN versions: Kubernetes: cannot be checked/])
})

void t.test('check: exits with 2 if the kubeconfig cannot be used', async (t) => {
  for (const [cluster, user, pattern, flags] of [
    [{ server: 'https://x' }, { token: 'x' }, /no context "other"/, ['--context', 'other']],
    [{ server: 'https://x', 'proxy-url': 'http://y' }, { token: 'x' }, /proxy-url.*kubectl proxy/, []],
    [{ server: 'https://x' }, { 'auth-provider': { name: 'oidc' } }, /auth-provider.*use exec/, []],
  ] as const) {
    const { code, err } = await run('--kubeconfig', kubeconfig(t, cluster, user), ...flags)
    t.equal(code, 2)
    t.match(err, pattern)
  }
  t.match(await run('--kubeconfig', join(t.testdir(), 'none')), { code: 2, err: /cannot read the kubeconfig/ })
})

void t.test('check: exits with 2 if an option is wrong', async (t) => {
  t.match(await run('--namespace', 'a/b'), { code: 2, err: /not the name of a namespace/ })
  t.match(await run('-o', 'yaml'), { code: 2, err: /Allowed choices are text, json/ })
})

void t.test('check: signs in with the program that the kubeconfig names', async (t) => {
  const { server: address, tokens } = await server(t, 200)
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'made' },
  }
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: ['-e', `console.log(${JSON.stringify(JSON.stringify(credential))})`],
    interactiveMode: 'Never',
  }
  const { code, out } = await run('--kubeconfig', kubeconfig(t, { server: address }, { exec }))
  t.equal(code, 1)
  t.match(out, /^FAIL {2}installation: cluster: there is no Deployment/)
  t.strictSame([...new Set(tokens)], ['Bearer made'])
})

void t.test('check: a caller who may read nothing gets a warning for each check that was left out', async (t) => {
  const cluster = await createCluster()
  cluster.forbidden.push('/api')
  const outcome = await runCheck(t, cluster)
  t.match(wrong(outcome), [/^WARN installation: Deployments: cannot be checked: .*403/])

  cluster.forbidden = [
    '/secrets/',
    '/nodes',
    '/subjectaccessreviews',
    '/configmaps',
    'webhookconfigurations',
    'policies',
  ]
  cluster.forbidden.push('policybindings', '/pods')
  const limited = await runCheck(t, cluster)
  t.ok(limited.findings.every(({ status }) => status !== 'FAIL'))
  t.strictSame(
    [...new Set(limited.findings.flatMap(({ check, status }) => (status === 'WARN' ? [check] : [])))].sort(),
    ['certificate', 'configuration', 'dry-run', 'permissions', 'policies', 'registrations', 'versions'],
  )
})

void t.test('check: a caller who may not list namespaces names the one for the dry run', async (t) => {
  const cluster = await createCluster()
  cluster.forbidden = ['/api/v1/namespaces$']
  t.match(wrong(await runCheck(t, cluster)), [/^WARN namespaces: .*403/, /^WARN dry-run: .*cannot be read/])
  const named = await runCheck(t, cluster, '-n', 'shop')
  t.match(wrong(named), [/^WARN namespaces: .*403/])
  t.ok(named.findings.some(({ check, status }) => check === 'dry-run' && status === 'OK'))
})

void t.test('check: of several installations, one is to be named', async (t) => {
  const cluster = await createCluster()
  const other = structuredClone(cluster.find('Deployment', 'akv-injector'))
  other.metadata.namespace = 'other'
  cluster.objects.push(other)
  t.match(await runCheck(t, cluster), {
    code: 2,
    err: /installations in the namespaces akv-injector-system, other: choose one with --system-namespace/,
  })
  t.strictSame(wrong(await runCheck(t, cluster, '--system-namespace', 'akv-injector-system')), [])
  t.match(wrong(await runCheck(t, cluster, '--system-namespace', 'none')), [/namespace none: there is no Deployment/])
})

void t.test('check: an installation whose variables are wrong', async (t) => {
  const cluster = await createCluster()
  const { template } = cluster.find('Deployment', 'akv-injector')['spec'] as {
    template: { spec: { containers: { env: { name: string; value?: string }[] }[] } }
  }
  for (const one of template.spec.containers[0]?.env ?? []) if (one.name === 'SERVICE_NAMES') delete one.value
  t.match(wrong(await runCheck(t, cluster)), [/^FAIL installation: Deployment .*SERVICE_NAMES is not set/])
})
