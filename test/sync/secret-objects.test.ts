import t from 'tap'
import { readSecretObjects, requestBounds } from '../../sync/secret-objects.ts'
import { opaque, tls, type Entry } from './fixture.ts'

const read = (...entries: unknown[]) => readSecretObjects(entries)
const entry = (more: object): object => ({ ...opaque('db', { password: 'db-password' }), ...more })

void t.test('secretObjects: entries are read as the CSI driver reads them', async (t) => {
  const labelled = {
    ...opaque('db', { password: ' db-password ' }),
    labels: { team: 'shop' },
    annotations: { note: 'x' },
  }
  t.strictSame(read(labelled, tls('web-tls', 'web')), {
    requests: [
      {
        ...{ name: 'db', type: 'Opaque', labels: { team: 'shop' }, annotations: { note: 'x' } },
        data: new Map([['password', 'db-password']]),
      },
      {
        ...{ name: 'web-tls', type: 'kubernetes.io/tls', labels: {}, annotations: {} },
        data: new Map([
          ['tls.key', 'web'],
          ['tls.crt', 'web'],
        ]),
      },
    ],
    problems: [],
  })
})

const bad: Record<string, [entry: unknown, problem: RegExp]> = {
  'no map': ['db', /expected a map/],
  'no name': [entry({ secretName: ' ' }), /secretName is required/],
  'a name that leads elsewhere': [entry({ secretName: '../kube-system/secrets/x' }), /no name of a Secret/],
  'no type': [entry({ type: undefined }), /type is required/],
  'a type that gives rights': [
    entry({ type: 'kubernetes.io/service-account-token' }),
    /type "kubernetes\.io\/service-account-token" is not written/,
  ],
  'a bootstrap token': [entry({ type: 'bootstrap.kubernetes.io/token' }), /is not written/],
  'a typo': [entry({ type: 'opaque' }), /did you mean "Opaque"/],
  'no data': [entry({ data: [] }), /data is required/],
  'no objectName': [entry({ data: [{ key: 'x' }] }), /no objectName/],
  'a key that is no key': [entry({ data: [{ key: 'a/b', objectName: 'x' }] }), /key "a\/b"/],
  'a key twice': [entry({ data: [0, 1].map(() => ({ key: 'a', objectName: 'x' })) }), /listed twice/],
  'half of a pair': [{ ...tls('web', 'web'), data: [{ key: 'tls.crt', objectName: 'web' }] }, /needs the key tls\.key/],
  'a third key beside a pair': [
    { ...tls('web', 'web'), data: [...tls('web', 'web').data, { key: 'ca.crt', objectName: 'web' }] },
    /only the keys tls\.crt and tls\.key, not ca\.crt/,
  ],
  'basic-auth without either key': [
    entry({ type: 'kubernetes.io/basic-auth', data: [{ key: 'x', objectName: 'x' }] }),
    /one of username/,
  ],
  'ssh-auth without its key': [entry({ type: 'kubernetes.io/ssh-auth' }), /ssh-privatekey/],
  'an injector label': [entry({ labels: { 'azure.keyvault.injector/synced': 'false' } }), /is reserved/],
  'an injector annotation': [entry({ annotations: { 'azure.keyvault.injector/sync-class': 'other' } }), /is reserved/],
  'a label that is no text': [entry({ labels: { a: 1 } }), /expected a text/],
}

for (const [what, [value, problem]] of Object.entries(bad))
  void t.test(`secretObjects: ${what} is refused, and the other entries are written`, async (t) => {
    const { requests, problems } = read(value, opaque('other', { a: 'b' }))
    t.equal(problems.length, 1, problems.join('\n'))
    t.match(problems[0], problem)
    t.match(problems[0], /^secretObjects\[0\]/)
    t.strictSame(
      requests.map(({ name }) => name),
      ['other'],
    )
  })

void t.test('secretObjects: a Secret that is listed twice is written once', async (t) => {
  const { requests, problems } = read(opaque('db', { a: 'b' }), opaque('db', { a: 'c' }))
  t.equal(requests.length, 1)
  t.match(problems, [/secretObjects\[1\] \("db"\): the Secret db is listed twice/])
})

void t.test('secretObjects: no class writes more Secrets, keys, labels or characters than the limits', async (t) => {
  const { secrets, keys, texts, characters } = requestBounds
  const many = (count: number): Entry[] => Array.from({ length: count }, (_, index) => opaque(`s-${index}`, { a: 'b' }))
  t.equal(readSecretObjects(many(secrets)).requests.length, secrets)
  t.match(readSecretObjects(many(secrets + 1)), { requests: [], problems: [/at most 50 may be/] })
  const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k-${index}`, 'x']))
  t.strictSame(read(opaque('db', fields(keys))).problems, [])
  t.match(read(opaque('db', fields(keys + 1))).problems, [/at most 200 may be/])
  t.match(read(entry({ labels: fields(texts + 1) })).problems, [/at most 50 with/])
  t.match(read(entry({ annotations: { a: 'x'.repeat(characters) } })).problems, [/16384 may be/])
  t.match(readSecretObjects(undefined).problems, [/secretObjects is missing/])
  t.match(readSecretObjects('x').problems, [/secretObjects is missing/])
})
