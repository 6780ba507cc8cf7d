import t from 'tap'
import { failure, never, shareVaultFixture, type VaultFixture } from '../fixture.ts'

const { fixture, fresh } = await shareVaultFixture(t)

void t.test('Key Vault client: each fault of the emulator becomes the right failure', async (t) => {
  const cases: [fault: Parameters<VaultFixture['emulator']['fault']>[0]['fault'], expected: object][] = [
    [{ kind: 'throttle' }, { kind: 'throttled', code: 'Throttled', retryAfter: undefined }],
    [
      { kind: 'throttle', retryAfter: 20 },
      { kind: 'throttled', retryAfter: 20_000 },
    ],
    [
      { kind: 'forbid', inner: 'ForbiddenByFirewall' },
      { kind: 'forbidden', code: 'ForbiddenByFirewall' },
    ],
    [{ kind: 'forbid', inner: 'SecretDisabled' }, { kind: 'disabled' }],
    [
      { kind: 'status', status: 500 },
      { kind: 'unavailable', status: 500 },
    ],
    [
      { kind: 'status', status: 403, body: '' },
      { kind: 'forbidden', status: 403 },
    ],
    [
      { kind: 'status', status: 403, body: 'null' },
      { kind: 'forbidden', status: 403 },
    ],
    [
      { kind: 'garbage', body: 'html' },
      { kind: 'malformed', status: 200 },
    ],
    [
      { kind: 'garbage', body: 'truncated' },
      { kind: 'malformed', status: 200 },
    ],
    [{ kind: 'cut' }, { kind: 'network' }],
    [
      { kind: 'redirect', location: 'https://elsewhere.example/' },
      { kind: 'malformed', status: 307 },
    ],
  ]
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  await vault.get('secret', 'db', undefined, never)
  for (const [fault, expected] of cases) {
    fixture.emulator.journal.reset()
    const { remove } = fixture.emulator.fault({ match: { operation: 'secrets.get' }, fault })
    t.match(await failure(vault.get('secret', 'db', undefined, never)), expected, JSON.stringify(fault))
    if (fault.kind !== 'cut') t.equal(fixture.emulator.journal.count('*'), 1, 'asked once')
    remove()
  }
})
