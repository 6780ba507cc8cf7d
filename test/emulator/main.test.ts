import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { WorkloadIdentityCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { readSettings } from './environment.ts'
import { makeIssuer } from './issuer.ts'
import { resolveToLoopback } from './resolve.ts'
import { makeAuthority } from './tls.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Started {
  vault: string
  authorityHost: string
  tenant: string
  admin: string
  proxy: string
  ca: string
  token?: string
}

const folder = temporaryFolder(t)

/** The program in one file, away from its sources, as an image would have it. */
async function bundle(): Promise<string> {
  const outfile = join(folder, 'emulator.mjs')
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
  const entry = join(import.meta.dirname, 'main.ts')
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    outfile,
    banner,
  })
  return outfile
}

/** Starts the program, and ends it with the test. */
async function start(t: Test, file: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, started: JSON.parse(line) as Started }
}
async function read({ vault, authorityHost, tenant, ca }: Started, tokenFilePath: string) {
  const common = { tlsOptions: { ca: readFileSync(ca, 'utf8') }, retryOptions: { maxRetries: 0 } }
  const identity = {
    tenantId: tenant,
    clientId: 'my-app',
    tokenFilePath,
    disableInstanceDiscovery: true,
    authorityHost,
  }
  const credential = new WorkloadIdentityCredential({ ...common, ...identity })
  return (await new SecretClient(vault, credential, common).getSecret('hello')).value
}

void t.test(
  'emulator: the program runs from a single file, lets its own issuer sign in, and ends at once on SIGTERM',
  async (t) => {
    t.teardown(resolveToLoopback('*.localhost'))
    const { child, started } = await start(t, await bundle(), {})
    const written = await fetch(`${started.admin}/admin/vaults/my-kv/secrets/hello`, {
      method: 'PUT',
      body: '{"value":"world"}',
    })
    t.equal(written.status, 200)
    t.equal(await read(started, started.token ?? ''), 'world')

    const ended = once(child, 'exit')
    const from = performance.now()
    child.kill('SIGTERM')
    t.strictSame(await ended, [0, null])
    t.ok(performance.now() - from < 3000)
    t.notOk(existsSync(started.ca), 'and leaves nothing behind')
  },
)

void t.test('emulator: the environment sets certificate, trusted issuer, vaults and CA file', async (t) => {
  t.teardown(resolveToLoopback('*.localhost'))
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const authority = makeAuthority()
  const pair = authority.issue({ names: ['*.kv.localhost', 'localhost'] })
  const issuer = makeIssuer({ issuer: 'https://issuer.example' })
  const { started } = await start(t, join(import.meta.dirname, 'main.ts'), {
    EMULATOR_SUFFIX: 'kv.localhost',
    EMULATOR_VAULTS: 'shop-kv, other-kv',
    EMULATOR_TENANT: 'my-tenant',
    EMULATOR_CA_OUT: join(folder, 'published-ca.crt'),
    EMULATOR_ISSUER: issuer.issuer,
    EMULATOR_JWKS_FILE: file('jwks.json', JSON.stringify(issuer.jwks)),
    EMULATOR_SUBJECTS: 'system:serviceaccount:shop:*',
    TLS_CERT_FILE: file('tls.crt', pair.cert),
    TLS_KEY_FILE: file('tls.key', pair.key),
    TLS_CA_FILE: file('ca.crt', authority.ca),
  })
  t.match(started, { tenant: 'my-tenant', ca: join(folder, 'published-ca.crt'), token: undefined })
  t.match(started.vault, /^https:\/\/shop-kv\.kv\.localhost:\d+\/$/)
  t.equal(readFileSync(started.ca, 'utf8'), authority.ca)
  await fetch(`${started.admin}/admin/vaults/shop-kv/secrets/hello`, { method: 'PUT', body: '{"value":"world"}' })
  t.equal(await read(started, file('good', await issuer.token({ namespace: 'shop' }))), 'world')
  await t.rejects(read(started, file('bad', await issuer.token({ namespace: 'other' }))), /AADSTS70021/)
})

void t.test('emulator: in a pod it trusts the issuer of its own token', async (t) => {
  const own = await makeIssuer({ issuer: 'https://cluster.example' }).token()
  const inPod = (name: string) => (name.endsWith('/token') ? `${own}\n` : 'CA')
  const env = { EMULATOR_TRUST_CLUSTER: 'true', EMULATOR_CA_CONFIGMAP: 'system/emulator-ca' }
  const { options, publish, ownIssuer } = readSettings(env, inPod)
  t.match(options.issuers, [
    { issuer: 'https://cluster.example', jwks: { url: /^https:\/\/kubernetes\.default\.svc\// } },
  ])
  t.match(options.credentials, [
    { clientId: '*', issuer: 'https://cluster.example', subject: 'system:serviceaccount:*:*' },
  ])
  t.match(publish, { configMap: 'system/emulator-ca', api: { token: own, ca: 'CA' } })
  t.notOk(ownIssuer)
})

void t.test('emulator: an invalid setting is named in the error', async (t) => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ EMULATOR_PORT: 'many' }, /EMULATOR_PORT=many/],
    [{ EMULATOR_ISSUER: 'https://issuer.example' }, /EMULATOR_JWKS_FILE or EMULATOR_JWKS_URL/],
    [{ TLS_CERT_FILE: 'tls.crt' }, /TLS_KEY_FILE/],
  ]
  for (const [env, message] of wrong) t.throws(() => readSettings(env, () => ''), message)
})
