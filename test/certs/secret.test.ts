import t from 'tap'
import { createAuthority, issueLeaf } from '../../certs/authority.ts'
import { pki } from '../../certs/pki.ts'
import { decodeSecret, encodeSecret, withAuthorities, withRecords } from '../../certs/secret.ts'
import { type SecretState } from '../../certs/secret-state.ts'

const HOUR = 60 * 60_000
const lifetimes = { authorityMs: 90 * HOUR, leafMs: 30 * HOUR, propagationMs: 60_000 }
const now = Date.parse('2030-01-01T00:00:00Z')
const names = ['hook.system.svc', 'hook-standby.system.svc']
const old = await createAuthority({ now: now - HOUR, lifetimeMs: lifetimes.authorityMs })
const next = await createAuthority({ now, lifetimeMs: lifetimes.authorityMs })
const leaf = await issueLeaf({ ...old, names, now, lifetimeMs: lifetimes.leafMs })

const state: SecretState = withRecords(
  withAuthorities({ authorities: [], signer: next, leaf, segments: ['ab'.repeat(16)], records: {} }, [
    old.authority,
    next.authority,
  ]),
  now,
  lifetimes,
)
const data = { ...encodeSecret(state) }

void t.test('certificate Secret: everything that is written is read back', async (t) => {
  t.strictSame(decodeSecret(data, names, pki), state)
  t.strictSame(
    state.authorities.map(({ id }) => id),
    [next.authority.id, old.authority.id],
    'newest first',
  )
  t.strictSame(JSON.parse(data['rotation.json']), {
    [old.authority.id]: { leavesUntil: '2030-01-02T06:00:00.000Z', notAfter: '2030-01-04T17:00:00.000Z' },
  })
})

void t.test('certificate Secret: damaged parts are ignored, and the rest is read', async (t) => {
  const damaged = 'damaged'
  const cases: [string, Record<string, string>, Partial<SecretState>][] = [
    ['everything', {}, { authorities: [], signer: undefined, leaf: undefined, records: {} }],
    ['ca.crt', { ...data, 'ca.crt': damaged }, { authorities: [], signer: undefined, leaf: undefined }],
    ['ca.key', { ...data, 'ca.key': damaged }, { signer: undefined, leaf }],
    ['path-segments.json', { ...data, 'path-segments.json': damaged }, { segments: [], leaf }],
    ['path-segments.json holds an object', { ...data, 'path-segments.json': '{"0":1}' }, { segments: [] }],
    [
      'path-segments.json holds other things',
      { ...data, 'path-segments.json': `["..","${'x'.repeat(32)}",3,"${'c'.repeat(32)}"]` },
      { segments: ['c'.repeat(32)] },
    ],
    [
      "ca.key is the old authority's",
      { ...data, 'ca.key': old.key },
      { signer: { authority: old.authority, key: old.key } },
    ],
    ['tls.crt', { ...data, 'tls.crt': damaged }, { leaf: undefined, authorities: state.authorities }],
    ['tls.key', { ...data, 'tls.key': old.key }, { leaf: undefined, authorities: state.authorities }],
    ['rotation.json', { ...data, 'rotation.json': '{' }, { records: {}, leaf }],
    ['rotation.json is null', { ...data, 'rotation.json': 'null' }, { records: {} }],
    ['a record', { ...data, 'rotation.json': '{"a":null,"b":{"leavesUntil":"soon","notAfter":""}}' }, { records: {} }],
  ]
  for (const [what, content, expected] of cases) t.match(decodeSecret(content, names, pki), expected, what)
  t.equal(
    decodeSecret(data, [...names, 'other.system.svc'], pki).leaf,
    undefined,
    "a certificate without one Service's name",
  )
})

void t.test(
  'certificate Secret: a record says how long certificates of an authority may live, and is kept until then',
  async (t) => {
    const until = (changed: Partial<SecretState>, at = now) =>
      Object.fromEntries(
        Object.entries(withRecords({ ...state, records: {}, ...changed }, at, lifetimes).records).map(
          ([id, record]) => [
            id === old.authority.id ? 'old' : id === next.authority.id ? 'next' : id,
            (record.leavesUntil - now) / HOUR,
          ],
        ),
      )
    const record = (leavesUntil: number) => ({ leavesUntil: now + leavesUntil * HOUR, notAfter: now + 80 * HOUR })
    t.strictSame(
      until({}),
      { old: 30 },
      'the certificate that is there counts, an authority that issued nothing does not',
    )
    t.strictSame(until({ records: { [old.authority.id]: record(50) } }), { old: 50 }, 'an earlier one may live longer')
    t.strictSame(until({ records: { [old.authority.id]: record(10) } }), { old: 30 })
    t.strictSame(until({ leaf: undefined }), { old: 30 }, 'an authority of unknown history issued nothing after now')
    t.strictSame(until({ leaf: undefined }, now + 80 * HOUR), { old: 89 }, 'and nothing that outlives itself')
    t.strictSame(until({ records: { gone: record(10) } }), { gone: 10, old: 30 }, 'what was let go of is remembered')
    t.strictSame(until({ records: { gone: record(10) } }, now + 80 * HOUR), { old: 89 }, 'until it has ended')
  },
)
