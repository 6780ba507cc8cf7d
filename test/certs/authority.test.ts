import t from 'tap'
import { BACKDATE_MS, createAuthority, issueLeaf, serviceNames } from '../../certs/authority.ts'
import { extensions, field, verifies } from '../support/openssl.ts'

const DAY = 24 * 60 * 60_000
const now = Date.parse('2030-05-01T12:00:00Z')
const names = serviceNames({ names: ['hook', 'hook-standby'], namespace: 'system', clusterDomain: 'example.internal' })

const one = await createAuthority({ now, lifetimeMs: 365 * DAY })
const other = await createAuthority({ now, lifetimeMs: 365 * DAY })
const leaf = await issueLeaf({ ...one, names, now, lifetimeMs: 30 * DAY })
const bundle = one.authority.pem + other.authority.pem

void t.test('authority: OpenSSL accepts the certificate', async (t) => {
  const directory = t.testdir()
  const cases: [string, Parameters<typeof verifies>[1], boolean][] = [
    ['under the name that the API server calls', { leaf: leaf.pem, bundle, name: 'hook.system.svc', at: now }, true],
    ['under that of another Service', { leaf: leaf.pem, bundle, name: 'hook-standby.system.svc', at: now }, true],
    ['under the cluster domain', { leaf: leaf.pem, bundle, name: 'hook.system.svc.example.internal', at: now }, true],
    ['under the short name', { leaf: leaf.pem, bundle, name: 'hook.system', at: now }, true],
    ['not under another name', { leaf: leaf.pem, bundle, name: 'other.system.svc', at: now }, false],
    ['with its authority alone', { leaf: leaf.pem, bundle: one.authority.pem, name: names[0], at: now }, true],
    ['not with another authority', { leaf: leaf.pem, bundle: other.authority.pem, name: names[0], at: now }, false],
    [
      'whatever comes first in the bundle',
      { leaf: leaf.pem, bundle: other.authority.pem + one.authority.pem, name: names[0], at: now },
      true,
    ],
    ['five minutes back', { leaf: leaf.pem, bundle, name: names[0], at: now - BACKDATE_MS }, true],
    ['not before', { leaf: leaf.pem, bundle, name: names[0], at: now - BACKDATE_MS - 1000 }, false],
    ['to the end of its life', { leaf: leaf.pem, bundle, name: names[0], at: now + 30 * DAY - 1000 }, true],
    ['not after', { leaf: leaf.pem, bundle, name: names[0], at: now + 30 * DAY }, false],
    ['the authority is no server', { leaf: one.authority.pem, bundle, name: names[0], at: now }, false],
  ]
  for (const [name, question, answer] of cases) t.equal(verifies(directory, question), answer, name)
})

void t.test('authority: it may only sign, and is identified by its key', async (t) => {
  const directory = t.testdir()
  const keyId = extensions(directory, one.authority.pem, 'subjectKeyIdentifier')[1]
  t.strictSame(extensions(directory, one.authority.pem, 'basicConstraints,keyUsage'), [
    'X509v3 Basic Constraints: critical',
    'CA:TRUE, pathlen:0',
    'X509v3 Key Usage: critical',
    'Certificate Sign, CRL Sign',
  ])
  t.not(extensions(directory, other.authority.pem, 'subjectKeyIdentifier')[1], keyId)
  t.not(field(directory, other.authority.pem, 'subject'), field(directory, one.authority.pem, 'subject'))
  t.strictSame(extensions(directory, leaf.pem, 'authorityKeyIdentifier'), ['X509v3 Authority Key Identifier:', keyId])
})

void t.test('authority: a certificate that it issues may only serve TLS', async (t) => {
  const directory = t.testdir()
  t.strictSame(extensions(directory, leaf.pem, 'basicConstraints,keyUsage,extendedKeyUsage,subjectAltName'), [
    'X509v3 Basic Constraints: critical',
    'CA:FALSE',
    'X509v3 Key Usage: critical',
    'Digital Signature, Key Encipherment',
    'X509v3 Extended Key Usage:',
    'TLS Web Server Authentication',
    'X509v3 Subject Alternative Name:',
    names.map((name) => `DNS:${name}`).join(', '),
  ])
})

void t.test('authority: serial numbers are random, positive and long', async (t) => {
  const directory = t.testdir()
  const serials = [one.authority, other.authority, leaf].map(({ pem }) => field(directory, pem, 'serial'))
  t.equal(new Set(serials).size, 3)
  for (const serial of serials) t.match(serial, /^[4-7][0-9A-F]{31}$/)
})

void t.test('authority: validity times are correct before and after 2050', async (t) => {
  const directory = t.testdir()
  t.strictSame(
    [field(directory, one.authority.pem, 'startdate'), field(directory, one.authority.pem, 'enddate')],
    ['May  1 11:55:00 2030 GMT', 'May  1 12:00:00 2031 GMT'],
  )
  const late = Date.parse('2049-12-01T00:00:00Z')
  const authority = await createAuthority({ now: late, lifetimeMs: 365 * DAY })
  const lateLeaf = await issueLeaf({ ...authority, names, now: late, lifetimeMs: 60 * DAY })
  t.ok(
    verifies(directory, { leaf: lateLeaf.pem, bundle: authority.authority.pem, name: names[0], at: late + 59 * DAY }),
  )
})

void t.test('authority: a certificate ends with its authority at the latest', async (t) => {
  const cut = await issueLeaf({ ...one, names, now: now + 350 * DAY, lifetimeMs: 30 * DAY })
  t.equal(cut.notAfter, one.authority.notAfter)
  t.equal(leaf.notAfter, now + 30 * DAY)
  t.equal(leaf.authority, one.authority.id)
})

void t.test("authority: another authority's key issues nothing", async (t) => {
  await t.rejects(
    issueLeaf({ authority: one.authority, key: other.key, names, now, lifetimeMs: DAY }),
    /does not belong/,
  )
})

void t.test('authority: Service and namespace names may have the longest names that Kubernetes allows', async (t) => {
  const long = serviceNames({ names: ['a'.repeat(63)], namespace: 'b'.repeat(63) })
  const longLeaf = await issueLeaf({ ...one, names: long, now, lifetimeMs: DAY })
  const directory = t.testdir()
  for (const name of long) {
    t.ok(verifies(directory, { leaf: longLeaf.pem, bundle, name, at: now }), name)
  }
})
