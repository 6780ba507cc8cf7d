import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { CertificateEvent } from '../../certs/events.ts'
import { startCertificates, type Certificates } from '../../certs/self-managed.ts'
import type { Lifetimes } from '../../certs/secret-state.ts'
import { callSegment } from '../../certs/segments.ts'
import { createKubernetesStore } from '../../certs/kubernetes-store.ts'
import { startApiServer, type ApiServer } from './api-server.ts'
import { verifies } from '../support/openssl.ts'
import { until } from '../support/until.ts'

const SECRET = '/api/v1/namespaces/system/secrets/certificates'
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector'
const NAME = 'hook.system.svc'
const DAY = 24 * 60 * 60_000

const decode = (base64 = '') => Buffer.from(base64, 'base64').toString()
const liveBundle = (api: ApiServer) => decode(api.objects.get(CONFIGURATION)!.webhooks![0]!.clientConfig.caBundle)
const secretData = (api: ApiServer, key: string) => decode(api.objects.get(SECRET)!.data?.[key])
const livePaths = (api: ApiServer) =>
  api.objects.get(CONFIGURATION)!.webhooks!.map(({ clientConfig }) => clientConfig.service?.path)
const countOf = (bundle: string) => bundle.split('BEGIN CERTIFICATE').length - 1

async function startCluster(t: Test): Promise<ApiServer> {
  const api = await startApiServer()
  t.teardown(() => api.close())
  api.put(SECRET, { kind: 'Secret' })
  const calls = (name: string) => ({ clientConfig: { service: { name, namespace: 'system' } } })
  const webhooks = [
    { name: 'enabled', ...calls('hook') },
    { name: 'standby', ...calls('hook-standby') },
  ]
  api.put(CONFIGURATION, { kind: 'MutatingWebhookConfiguration', webhooks })
  return api
}

interface Replica {
  certificates: Certificates
  events: CertificateEvent[]
  lines: string[]
  port: number
  /** calls that have not come back yet */
  calls: number
  close(): Promise<void>
}

async function startReplica(t: Test, api: ApiServer, lifetimes: Partial<Lifetimes> = {}): Promise<Replica> {
  const lines: string[] = []
  const events: CertificateEvent[] = []
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { info: write, warn: write, error: write }
  const services = { namespace: 'system', names: ['hook', 'hook-standby'] } as const
  const cluster = createKubernetesStore({
    api: api.client,
    services,
    secretName: 'certificates',
    mutating: ['injector'],
    pathOf: (_kind, name) => `/${name}`,
    log,
  })
  const certificates = startCertificates({ cluster, services, lifetimes, log, onEvent: (event) => events.push(event) })
  const server = https.createServer(certificates.tlsOptions(), (_request, response) => response.end('ok'))
  certificates.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    await certificates.close()
    if (!server.listening) return
    server.close()
    server.closeIdleConnections()
    await once(server, 'close')
  }
  t.teardown(close)
  return { certificates, events, lines, close, calls: 0, port: (server.address() as AddressInfo).port }
}

const isReady = ({ certificates }: Replica) => certificates.readiness().ready

/** One request as the API server makes it: a new connection that trusts the bundle and nothing else. */
function call(port: number, ca: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: NAME, ca, agent: false }
    https
      .get(options, (response) => response.resume().on('end', () => resolve(response.socket as TLSSocket)))
      .on('error', reject)
  })
}

void t.test('self-managed certificate: three replicas start on an empty Secret', async (t) => {
  const api = await startCluster(t)
  const replicas = await Promise.all([1, 2, 3].map(() => startReplica(t, api)))
  t.match(replicas[0]!.certificates.readiness(), { ready: false, reason: /no certificate is served yet/ })
  await until('every replica is ready', () => replicas.every(isReady))
  t.equal(countOf(liveBundle(api)), 1)
  t.equal(liveBundle(api), secretData(api, 'ca.crt'))
  const [secret = ''] = JSON.parse(secretData(api, 'path-segments.json')) as string[]
  t.match(secret, /^[0-9a-f]{32}$/)
  const segments = ['/enabled', '/standby'].map((path) => callSegment(secret, path))
  t.equal(new Set([secret, ...segments]).size, 3, 'each entry has a segment of its own')
  t.strictSame(livePaths(api), [`/${segments[0]}/enabled`, `/${segments[1]}/standby`])
  for (const { certificates } of replicas)
    t.strictSame(
      ['/enabled', '/standby', '/guard'].map((path) => certificates.segments?.(path).length),
      [1, 1, 1],
    )
  for (const { certificates } of replicas) t.strictSame(certificates.segments?.('/standby'), [segments[1]])
  const question = { leaf: secretData(api, 'tls.crt'), bundle: liveBundle(api), name: NAME, at: Date.now() }
  t.ok(verifies(t.testdir(), question))
  for (const { port, certificates } of replicas) {
    const certificate = (await call(port, liveBundle(api))).getPeerX509Certificate()
    t.equal(certificate?.toString(), secretData(api, 'tls.crt').replaceAll('\r', ''))
    t.equal(certificates.notAfter(), certificate?.validToDate.getTime())
  }
  t.strictSame(Object.keys(api.objects.get(SECRET)!.data!).toSorted(), [
    'ca.crt',
    'ca.key',
    'path-segments.json',
    'rotation.json',
    'tls.crt',
    'tls.key',
  ])
  t.notMatch(JSON.stringify(replicas.map(({ events, lines }) => [events, lines])), /PRIVATE KEY|BEGIN CERT/)
  t.equal(
    replicas
      .flatMap(({ events }) => events)
      .filter((event) => event.type === 'step' && event.step === 'create-authority').length,
    1,
  )
})

void t.test(
  'self-managed certificate: authorities change under continuous calls and restarts, and no call fails',
  async (t) => {
    const api = await startCluster(t)
    const lifetimes = { propagationMs: 2500 }
    let replicas = await Promise.all([1, 2].map(() => startReplica(t, api, lifetimes)))
    await until('every replica is ready', () => replicas.every(isReady))

    // A caller may be behind by the propagation time, less what a call takes on a busy machine.
    const bundles = [{ at: 0, pem: liveBundle(api) }]
    const remember = setInterval(() => {
      if (bundles.at(-1)!.pem !== liveBundle(api)) bundles.push({ at: Date.now(), pem: liveBundle(api) })
    }, 5)
    t.teardown(() => clearInterval(remember))
    const bundleOf = (then: number) => bundles.findLast(({ at }) => at <= then)!.pem

    let going = true
    const authorities = new Set<string>()
    const callers = [0, 1000].map(async (behind) => {
      let calls = 0
      while (going) {
        const ready = replicas.filter(isReady)
        const replica = ready[calls++ % ready.length]!
        replica.calls++
        const socket = await call(replica.port, bundleOf(Date.now() - behind))
        replica.calls--
        authorities.add(socket.getPeerX509Certificate()!.issuer)
      }
      return calls
    })
    const worked = Promise.all(callers)
    const turns = async () => {
      for (let turn = 2; turn <= 3; turn++) {
        api.put(SECRET, { ...api.objects.get(SECRET), data: { ...api.objects.get(SECRET)!.data, 'ca.key': '' } })
        await until(
          'every replica serves the next authority',
          () => authorities.size === turn && replicas.every(isReady),
        )
        const [leaving, ...staying] = replicas
        const arriving = await startReplica(t, api, lifetimes)
        await until('the new replica is ready', () => isReady(arriving))
        replicas = [...staying, arriving]
        await until('the leaving replica has no call open', () => leaving!.calls === 0)
        await leaving!.close()
      }
    }
    await Promise.race([turns(), worked])
    going = false
    const counts = await worked
    t.ok(
      counts.every((count) => count > 20),
      `calls: ${counts.join()}`,
    )
    t.equal(authorities.size, 3)
    t.equal(countOf(liveBundle(api)), 3, 'each is trusted as long as a certificate of it may live')
  },
)

void t.test('self-managed certificate: a wiped caBundle is detected and repaired', async (t) => {
  const api = await startCluster(t)
  const replica = await startReplica(t, api)
  await until('the replica is ready', () => isReady(replica))
  const bundle = liveBundle(api)
  const refused: string[] = []
  api.fault = (line) => (line.startsWith('PATCH') && refused.push(line) < 3 ? { status: 500 } : undefined)
  const { webhooks, ...rest } = api.objects.get(CONFIGURATION)!
  api.put(CONFIGURATION, {
    ...rest,
    webhooks: [{ ...webhooks![0], clientConfig: { service: webhooks![0]!.clientConfig.service } }, webhooks![1]],
  })
  await until('the replica is not ready', () => !isReady(replica))
  t.match(
    replica.certificates.readiness().reason,
    /the caBundle of MutatingWebhookConfiguration injector does not contain/,
  )
  await until('the replica is ready', () => isReady(replica))
  t.equal(liveBundle(api), bundle)
  t.equal(refused.length, 3)
})

void t.test(
  'self-managed certificate: paths without their segment are detected and repaired, also those of an earlier release',
  async (t) => {
    const api = await startCluster(t)
    const replica = await startReplica(t, api)
    await until('the replica is ready', () => isReady(replica))
    const paths = livePaths(api)
    for (const path of [undefined, '/', '/enabled', `/${'0'.repeat(32)}/enabled`]) {
      const { webhooks, ...rest } = api.objects.get(CONFIGURATION)!
      const [first, second] = structuredClone(webhooks!)
      const { name, namespace } = first!.clientConfig.service!
      first!.clientConfig.service = { name, namespace, ...(path && { path }) }
      api.put(CONFIGURATION, { ...rest, webhooks: [first!, second!] })
      await until('the first path is written', () => livePaths(api)[0] === paths[0])
    }
    t.strictSame(livePaths(api), paths)
  },
)

void t.test('self-managed certificate: a missing Secret or a denied request is logged and retried', async (t) => {
  const api = await startCluster(t)
  api.fault = (line) => (line.startsWith('GET') ? { status: 403 } : undefined)
  const secret = api.objects.get(SECRET)!
  api.remove(SECRET)
  const replica = await startReplica(t, api)
  const reason = () => replica.certificates.readiness().reason ?? ''
  await until('readiness names the refusal', () => /403/.test(reason()))
  t.match(reason(), /no certificate is served yet: get Secret system\/certificates: 403 GET .* was refused/)
  api.fault = () => undefined
  await until('readiness names the missing Secret', () => /the Secret does not exist/.test(reason()))
  api.put(SECRET, secret)
  await until('the replica is ready', () => isReady(replica))
})

void t.test('self-managed certificate: lifetimes that would leave a gap are rejected at the start', async (t) => {
  const api = await startCluster(t)
  const start = (lifetimes: Partial<Lifetimes>) => startReplica(t, api, lifetimes)
  await t.rejects(start({ leafMs: 200 * DAY }), { name: 'RangeError', message: /third/ })
  await t.rejects(start({ propagationMs: 6 * DAY }), { name: 'RangeError', message: /sixth/ })
  await t.rejects(start({ propagationMs: -1 }), RangeError)
  await t.rejects(start({ leafMs: NaN }), RangeError)
})
