import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createAuthority, issueLeaf } from '../../certs/authority.ts'
import type { ClusterConfiguration } from '../../certs/store.ts'
import type { CertificateEvent } from '../../certs/events.ts'
import { startCertificateFiles } from '../../certs/mounted.ts'
import { until } from '../support/until.ts'

const now = Date.now()
const HOUR = 60 * 60_000
const authority = await createAuthority({ now, lifetimeMs: 10 * HOUR })
const issue = (at = now) => issueLeaf({ ...authority, names: ['hook.system.svc'], now: at, lifetimeMs: HOUR })
const [first, second, ended] = await Promise.all([issue(), issue(), issue(now - 2 * HOUR)])

/** A Secret as the kubelet mounts it: links to files of a folder that `..data` points to, which is what changes. */
function mount(directory: string) {
  let writes = 0
  return (files: { certificate: string; key: string }) => {
    const folder = join(directory, `..${++writes}`)
    mkdirSync(folder)
    writeFileSync(join(folder, 'tls.crt'), files.certificate)
    writeFileSync(join(folder, 'tls.key'), files.key)
    symlinkSync(`..${writes}`, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    if (writes === 1)
      for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(directory, file))
    else rmSync(join(directory, `..${writes - 1}`), { recursive: true })
  }
}

const pair = ({ pem, key }: { pem: string; key: string }) => ({ certificate: pem, key })

function start(t: Test, directory: string, bundles?: Parameters<typeof startCertificateFiles>[0]['bundles']) {
  const events: CertificateEvent[] = []
  const lines: string[] = []
  const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const certificates = startCertificateFiles({
    directory,
    log: { info: log, warn: log, error: log },
    onEvent: (event) => events.push(event),
    ...(bundles && { bundles }),
  })
  t.teardown(() => certificates.close())
  const served = async (id: string) =>
    until('the certificate is served', () =>
      events.some((event) => event.type === 'serving' && event.certificate === id),
    )
  return { certificates, events, lines, served }
}

void t.test('mounted certificate: a mounted Secret is served, and replaced when it changes', async (t) => {
  const directory = t.testdir()
  const write = mount(directory)
  write(pair(first))
  const { certificates, events, lines, served } = start(t, directory)
  t.match(certificates.readiness(), { ready: false, reason: /no certificate is served yet/ })
  await served(first.id)
  t.strictSame(certificates.readiness(), { ready: true })
  t.equal(certificates.notAfter(), first.notAfter)
  const { cert, key, minVersion } = certificates.tlsOptions()
  t.strictSame({ cert, key, minVersion }, { cert: first.pem, key: first.key, minVersion: 'TLSv1.2' })

  write(pair(second))
  await served(second.id)
  t.equal(certificates.tlsOptions().cert, second.pem)
  write(pair(first))
  await until('the first certificate is served', () => certificates.tlsOptions().cert === first.pem)
  t.notMatch(JSON.stringify([events, lines]), /PRIVATE KEY/)
})

void t.test(
  'mounted certificate: a pair that cannot be served is logged as an error, and the previous one stays',
  async (t) => {
    const cases: [string, { certificate: string; key: string }, RegExp][] = [
      ['the key of another', { certificate: second.pem, key: first.key }, /does not belong to the certificate/],
      ['an empty file', { certificate: '', key: '' }, /it contains no certificate/],
      ['a certificate that has ended', pair(ended), /not valid now/],
    ]
    for (const [name, bad, reason] of cases) {
      const directory = t.testdir({ [name]: {} })
      const write = mount(join(directory, name))
      write(pair(first))
      const { certificates, events, lines, served } = start(t, join(directory, name))
      await served(first.id)
      write(bad)
      await until('the certificate is refused', () => events.some(({ type }) => type === 'refused'))
      t.equal(certificates.tlsOptions().cert, first.pem, name)
      t.ok(certificates.readiness().ready, name)
      t.match(lines.at(-1), /the previous certificate stays/, name)
      t.match(lines.at(-1), reason, name)
      write(pair(second))
      await served(second.id)
      await certificates.close()
    }
  },
)

void t.test('mounted certificate: quick successive changes never serve half of a pair', async (t) => {
  const directory = t.testdir()
  const write = mount(directory)
  write(pair(first))
  let look: () => void = () => undefined
  const watch = (changed: () => void) => {
    look = changed
    return () => undefined
  }
  const { events, served, certificates } = start(t, directory, { read: async () => [], watch })
  await served(first.id)
  for (let round = 0; round < 300; round++) {
    write(pair(round % 2 === 0 ? second : first))
    look()
    await new Promise((resolve) => setImmediate(resolve))
  }
  write(pair(second))
  await until('the second certificate is served', () => certificates.tlsOptions().cert === second.pem)
  t.notOk(events.find(({ type }) => type === 'refused'))
})

void t.test('mounted certificate: plain files that appear after the start are served', async (t) => {
  const directory = t.testdir()
  const { certificates, events, served } = start(t, directory)
  await until('the failure is reported', () => events.some(({ type }) => type === 'failed'))
  t.notOk(certificates.readiness().ready)
  writeFileSync(join(directory, 'tls.key'), first.key)
  writeFileSync(join(directory, 'tls.crt'), first.pem)
  await served(first.id)
  t.ok(certificates.readiness().ready)
})

void t.test('mounted certificate: the webhook is ready only while callers trust it, if it can read that', async (t) => {
  const directory = t.testdir()
  mount(directory)(pair(first))
  let changed: () => void = () => undefined
  let live: ClusterConfiguration[] = []
  let failing = false
  const configuration = (caBundle: string) => ({
    id: 'MutatingWebhookConfiguration injector',
    uid: '',
    resourceVersion: '',
    generation: 1,
    webhooks: [{ name: 'enabled', caBundle, segment: undefined, path: '/mutate' }],
  })
  const { certificates, events, served } = start(t, directory, {
    read: async () => {
      if (failing) throw new Error('not now')
      return live
    },
    watch: (callback) => {
      changed = callback
      return () => undefined
    },
  })
  await served(first.id)
  t.match(certificates.readiness(), { ready: false, reason: /no webhook configuration/ })
  live = [configuration('')]
  changed()
  await until('readiness names the missing authority', () =>
    /does not contain/.test(certificates.readiness().reason ?? ''),
  )
  live = [configuration(authority.authority.pem)]
  changed()
  await until('it is ready', () => certificates.readiness().ready)
  failing = true
  changed()
  await until('the failure is reported', () => events.some(({ type }) => type === 'failed'))
  t.ok(certificates.readiness().ready, 'an API server that does not answer changes nothing')
})
