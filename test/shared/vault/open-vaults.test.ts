import t from 'tap'
import type { Identity } from '../../../shared/settings/codec.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { clouds, environment, kv, open } from './open-vaults-fixture.ts'

void t.test('vaults: one client for each distinct vault and identity', async (t) => {
  const opened = open(
    [
      [kv, 0],
      [kv, 0],
      [kv.toUpperCase().replace('HTTPS', 'https'), 1],
      [kv, 2],
      ['https://other.vault.example', 0],
      [kv, 3],
    ],
    [
      { cloud: 'public' },
      { cloud: 'public', tenantId: 'T1', clientId: 'C1' },
      { cloud: 'public', clientId: 'c2' },
      { cloud: 'public', tenantId: 't2' },
    ],
  )
  if (!opened.ok) throw new Error(opened.problems.join())
  const vaults = opened.value
  const of = (object: { vault: string; identity: number }) => vaults.of(object)
  t.equal(vaults.all.length, 4)
  t.equal(
    of({ vault: kv, identity: 0 }),
    of({ vault: kv, identity: 1 }),
    'the environment stands in, and case does not matter',
  )
  t.not(of({ vault: kv, identity: 0 }), of({ vault: kv, identity: 2 }))
  t.match(of({ vault: kv, identity: 2 }), { url: kv, name: 'my-kv', identity: 'c2' })
  t.throws(() => of({ vault: kv, identity: 9 }))
  vaults.close()
})

void t.test(
  'vaults: identities that differ only in how they sign in, or in their cloud, share no client',
  async (t) => {
    const other = { other: { authorityHost: 'https://login.other.example', vaultSuffix: 'vault.example' } }
    const identities: Identity[] = [
      { cloud: 'public' },
      { cloud: 'public', mode: 'identity-binding' },
      { cloud: 'public', mode: 'node', tenantId: 't1', clientId: 'c1' },
      { cloud: 'other' },
      { cloud: 'other', mode: 'node', tenantId: 't1', clientId: 'c1' },
    ]
    const opened = open(
      identities.map((_, index) => [kv, index]),
      identities,
      { clouds: other },
    )
    if (!opened.ok) throw new Error(opened.problems.join())
    t.equal(opened.value.all.length, identities.length)
    opened.value.close()
  },
)

void t.test(
  'vaults: messages and metrics name a vault by its short name, or by its host outside the cloud',
  async (t) => {
    for (const [url, name] of [
      [kv, 'my-kv'],
      ['https://my-kv.vault.example:8443', 'my-kv'],
      ['https://my-kv.elsewhere.example', 'my-kv.elsewhere.example'],
      ['https://my-kv.vault.example.elsewhere.example', 'my-kv.vault.example.elsewhere.example'],
      ['https://localhost:8443', 'localhost:8443'],
    ] as const) {
      const opened = open([[url, 0]], [{ cloud: 'public' }])
      t.equal(opened.ok && opened.value.all[0]!.name, name)
    }
  },
)

void t.test('vaults: every problem of the identities in use is reported', async (t) => {
  const cases: [name: string, identity: Identity, wanted: Parameters<typeof open>[2], problems: RegExp[]][] = [
    ['no identity', { cloud: 'public' }, { environment: {} }, [/tenant ID is missing/, /client ID is missing/]],
    [
      'no identity, although there is an identity binding',
      { cloud: 'public', mode: 'identity-binding' },
      { environment: {} },
      [
        /AZURE_TENANT_ID has it; with .* workload identity webhook sets it/,
        /AZURE_CLIENT_ID has it; .*skip-containers/,
      ],
    ],
    ['no such cloud', { cloud: 'private' }, {}, [/the settings have no cloud "private"/]],
    [
      'half an identity binding',
      { cloud: 'public', mode: 'identity-binding' },
      { environment: { ...environment, AZURE_KUBERNETES_SNI_NAME: 'x' } },
      [/^AZURE_KUBERNETES_SNI_NAME set without AZURE_KUBERNETES_TOKEN_PROXY$/],
    ],
    [
      'no certificate for a node',
      { cloud: 'public', mode: 'node' },
      { environment: {}, clouds: { public: { ...clouds['public']!, caCertificates: 'abc' } } },
      [/caCertificates cannot be read/],
    ],
    ['a tenant that would be a path', { cloud: 'public', tenantId: '../x' }, {}, [/"\.\.\/x"/]],
    [
      'plain http',
      { cloud: 'public' },
      { clouds: { public: { ...clouds['public']!, authorityHost: 'http://login.example' } } },
      [/never requested over plain http/],
    ],
    [
      'no certificate',
      { cloud: 'public' },
      { clouds: { public: { ...clouds['public']!, caCertificates: 'abc' } } },
      [/caCertificates cannot be read: it has no PEM certificate/],
    ],
    [
      'half a certificate',
      { cloud: 'public' },
      {
        clouds: {
          public: { ...clouds['public']!, caCertificates: makeAuthority().ca.split('\n').toSpliced(3, 5).join('\n') },
        },
      },
      [/caCertificates cannot be read/],
    ],
  ]
  for (const [name, identity, wanted, problems] of cases) {
    const opened = open([[kv, 0]], [identity], wanted)
    t.match(opened, { ok: false, problems }, name)
    t.equal(!opened.ok && opened.problems.length, problems.length)
  }
  t.match(
    open([[kv, 1]], [{ cloud: 'private' }, { cloud: 'public' }]),
    { ok: true },
    'identities that are not in use do not count',
  )
  t.match(
    open([[kv, 0]], [{ cloud: 'public' }], { environment: { ...environment, AZURE_KUBERNETES_SNI_NAME: 'x' } }),
    { ok: true },
    'what the environment says of a binding counts for a binding alone',
  )
})
