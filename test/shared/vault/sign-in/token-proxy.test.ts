import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WorkloadIdentityCredential } from '@azure/identity'
import t, { type Test } from 'tap'
import { openVaults } from '../../../../shared/vault/open-vaults.ts'
import { readTokenProxy } from '../../../../shared/vault/sign-in/token-proxy.ts'
import { makeAuthority } from '../../../emulator/tls.ts'
import { startTokenProxy } from '../../../emulator/token-proxy.ts'
import { memoryFolder } from '../../../support/temporary-folder.ts'
import { failure, never, startVaultFixture } from '../fixture.ts'
import { objectSpec } from '../../../support/object-spec.ts'

const authority = makeAuthority({ commonName: 'Cluster CA' })
const servername = 'proxy.cluster.example'
const audience = 'api://AKSIdentityBinding'

/** A pod with an identity binding: its token is good for the proxy's audience alone. */
async function bound(t: Test) {
  const fixture = await startVaultFixture()
  const { emulator, issuer, clientId, tokenFile, environment, cloud } = fixture
  emulator.federate({ clientId: 'bound', issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', audience })
  writeFileSync(tokenFile, await issuer.token({ namespace: 'shop', serviceAccount: 'web', audience }))
  emulator.vault('kv').setSecret('db-password', 'x')
  const proxy = await startTokenProxy(emulator, authority.issue({ names: [servername] }))
  const folder = memoryFolder('token-proxy-')
  const caFile = join(folder, 'ca.crt')
  writeFileSync(caFile, authority.ca)
  t.teardown(async () => {
    proxy.close()
    rmSync(folder, { recursive: true })
    await fixture.end()
  })
  const variables = {
    AZURE_CLIENT_ID: 'bound',
    AZURE_KUBERNETES_TOKEN_PROXY: proxy.url,
    AZURE_KUBERNETES_CA_FILE: caFile,
    AZURE_KUBERNETES_SNI_NAME: servername,
  }
  /** A pod that has not signed in yet reads a secret. */
  const read = async (changes: Record<string, string> = {}, mode: 'identity-binding' | 'pod' = 'identity-binding') => {
    const opened = openVaults(
      {
        clouds: { test: cloud },
        identities: [{ cloud: 'test', ...(mode !== 'pod' && { mode }) }],
        objects: [objectSpec('db-password', { vault: emulator.url('kv').slice(0, -1) })],
      },
      { ...environment, ...variables, ...changes },
      { random: () => 0 },
    )
    if (!opened.ok) throw new Error(opened.problems.join('\n'))
    t.teardown(() => opened.value.close())
    const [vault] = opened.value.all
    return () => vault!.get('secret', 'db-password', undefined, never)
  }
  return { ...fixture, clientId, proxy, caFile, variables, read }
}

void t.test('token proxy: the token is requested from the proxy, by its name and authority', async (t) => {
  const { emulator, proxy, read, variables, environment, caFile } = await bound(t)
  t.match(await (await read())(), { content: { secret: 'x' } })
  const path = `/aks/${emulator.tenant}/oauth2/v2.0/token`
  t.strictSame(proxy.asked, [{ path, servername }])
  t.match(emulator.seen, [{ client: 'bound', aud: [audience], verified: true, outcome: 'issued' }])

  t.match(
    await (
      await read({ AZURE_KUBERNETES_CA_FILE: '', AZURE_KUBERNETES_CA_DATA: authority.ca })
    )(),
    { content: { secret: 'x' } },
    'an authority as text',
  )
  t.match(
    await (
      await read({ AZURE_KUBERNETES_TOKEN_PROXY: `${proxy.url}/` })
    )(),
    { content: { secret: 'x' } },
    'a slash at the end',
  )

  proxy.asked.length = 0
  const before = { ...process.env }
  t.teardown(() => (process.env = before))
  Object.assign(process.env, environment, variables)
  const { authorityHost } = emulator
  // With disableInstanceDiscovery MSAL asks for the OpenID metadata through the proxy too, which we do not need.
  await new WorkloadIdentityCredential({
    enableAzureProxy: true,
    authorityHost,
    disableInstanceDiscovery: true,
  }).getToken('https://vault.localhost/.default')
  t.strictSame(
    proxy.asked
      .filter(({ path }) => path.includes('/token'))
      .map(({ path, servername }) => ({ path: path.replace(/\?.*/, ''), servername })),
    [{ path, servername }],
    'as the unmodified SDK does',
  )
  t.equal(caFile, process.env['AZURE_KUBERNETES_CA_FILE'])
})

void t.test(
  'token proxy: without a proxy in the environment, or for another identity, the authority is called',
  async (t) => {
    const { emulator, issuer, proxy, read, tokenFile, clientId } = await bound(t)
    writeFileSync(tokenFile, await issuer.token({ namespace: 'shop', serviceAccount: 'web' }))
    const nothing = { AZURE_KUBERNETES_TOKEN_PROXY: '', AZURE_KUBERNETES_CA_FILE: '', AZURE_KUBERNETES_SNI_NAME: '' }
    await (
      await read({ ...nothing, AZURE_CLIENT_ID: clientId })
    )()
    await (
      await read({ AZURE_CLIENT_ID: clientId }, 'pod')
    )()
    t.strictSame(proxy.asked, [])
    t.equal(emulator.journal.count('token'), 2)
  },
)

void t.test('token proxy: a changed authority is read while the pod runs', async (t) => {
  const { proxy, read, caFile } = await bound(t)
  const get = await read()
  const next = makeAuthority({ commonName: 'Next cluster CA' })
  proxy.use(next.issue({ names: [servername] }))
  const failed = await failure(get())
  t.match(failed, { kind: 'sign-in-unavailable', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  t.match(failed.message, `through the token proxy ${proxy.url}`)
  t.match(failed.message, `not signed by a trusted authority; its CA must be in AZURE_KUBERNETES_CA_FILE (${caFile})`)
  writeFileSync(caFile, '')
  t.match(
    await failure(get()),
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    'while the file is empty its last content holds',
  )
  writeFileSync(caFile, next.ca)
  t.match(await get(), { content: { secret: 'x' } })
})

void t.test('token proxy: an untrusted certificate or unusable CA file is a failure that names it', async (t) => {
  const { proxy, read, caFile, emulator } = await bound(t)
  t.match(await failure((await read({ AZURE_KUBERNETES_SNI_NAME: 'other.example' }))()), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
  proxy.use(emulator.authority!.issue({ names: [servername] }))
  t.match(
    await failure((await read())()),
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    "the cloud's authority does not count",
  )
  for (const [text, message] of [
    ['', /CA_FILE \(.*\) cannot be used: it has no PEM certificate$/],
    ['none', /it has no PEM certificate$/],
    [authority.ca.split('\n').toSpliced(3, 5).join('\n'), /cannot be used: error:/],
  ] as const) {
    writeFileSync(caFile, text)
    t.match(await failure((await read())()), { kind: 'sign-in', message })
  }
  rmSync(caFile)
  t.match(await failure((await read())()), {
    kind: 'sign-in',
    code: 'ENOENT',
    message: /CA_FILE cannot be read: ENOENT/,
  })
})

void t.test('token proxy: invalid variables of the environment are named', (t) => {
  const url = 'https://tokens.example/x'
  const cases: [string, Record<string, string>, string[]][] = [
    [
      'plain http',
      { TOKEN_PROXY: 'http://tokens.example' },
      ['AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path'],
    ],
    [
      'no URL',
      { TOKEN_PROXY: 'proxy' },
      ['AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path'],
    ],
    [
      'a user',
      { TOKEN_PROXY: 'https://u:p@tokens.example' },
      ['AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path'],
    ],
    [
      'a query',
      { TOKEN_PROXY: `${url}?a` },
      ['AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path'],
    ],
    [
      'a fragment',
      { TOKEN_PROXY: `${url}#a` },
      ['AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path'],
    ],
    [
      'two authorities',
      { TOKEN_PROXY: url, CA_FILE: '/ca', CA_DATA: authority.ca },
      ['AZURE_KUBERNETES_CA_FILE and AZURE_KUBERNETES_CA_DATA are both set: remove one'],
    ],
    [
      'no certificate',
      { TOKEN_PROXY: url, CA_DATA: 'x' },
      ['AZURE_KUBERNETES_CA_DATA cannot be read: it has no PEM certificate'],
    ],
    [
      'a name without a proxy',
      { SNI_NAME: 'x', CA_FILE: '/ca' },
      ['AZURE_KUBERNETES_CA_FILE and AZURE_KUBERNETES_SNI_NAME set without AZURE_KUBERNETES_TOKEN_PROXY'],
    ],
  ]
  for (const [name, variables, problems] of cases) {
    const environment = Object.fromEntries(
      Object.entries(variables).map(([key, value]) => [`AZURE_KUBERNETES_${key}`, value]),
    )
    t.strictSame(readTokenProxy(environment), { ok: false, problems }, name)
  }
  t.strictSame(readTokenProxy({}), { ok: true, value: undefined })
  t.match(readTokenProxy({ AZURE_KUBERNETES_TOKEN_PROXY: url }), { ok: true, value: { authority: undefined } })
  t.end()
})
