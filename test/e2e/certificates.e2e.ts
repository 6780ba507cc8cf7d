import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { injectionLabel } from '../../shared/names.ts'
import { admitPods } from './support/admissions.ts'
import { pod } from './support/apps.ts'
import { beside, install, render, writeSelfManaged } from './support/own-installation.ts'
import { apply, get, kubectl } from './support/kubectl.ts'
import { readyPods, statusOf, type Pod } from './support/pods.ts'
import { untilReachable } from './support/reachable.ts'
import { eventually } from './support/eventually.ts'
import { askReplica } from './support/replica.ts'
import { makeTeam } from './support/fixture.ts'
import { startStranger } from './support/stranger.ts'

const system = 'platform-rotation'
const selector = 'app.kubernetes.io/name=akv-injector'

/** An authority lives for a minute: a new one every 40 s gives all rotations of a year without the waiting. */
const environment = {
  CERTIFICATE_AUTHORITY_SECONDS: '60',
  CERTIFICATE_SECONDS: '20',
  CERTIFICATE_SETTLE_SECONDS: '3',
  DRAIN_SECONDS: '5',
}

/** Returns the authority that issued the certificate in the Secret, once it is the newest. */
async function issuing(): Promise<string | false> {
  const { data } = await get<{ data?: Record<string, string> }>(system, 'secret', 'akv-injector-certificates')
  const certificate = (key: string) => new X509Certificate(Buffer.from(data?.[key] ?? '', 'base64'))
  const [newest, leaf] = [certificate('ca.crt'), certificate('tls.crt')]
  return leaf.verify(newest.publicKey) && newest.fingerprint256
}

/** Returns the path that the API server calls for pods that are created. */
async function injectPath(): Promise<string> {
  const { webhooks } = await get<{ webhooks: { name: string; clientConfig: { service: { path?: string } } }[] }>(
    '',
    'mutatingwebhookconfiguration',
    'akv-injector-rotation',
  )
  return webhooks.find(({ name }) => name.startsWith('inject.'))?.clientConfig.service.path ?? ''
}

/** Changes the administrator's file; the kubelet takes up to a minute to update it in the pods. */
const configure = (text: string): Promise<string> =>
  apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'akv-injector-configuration', namespace: system },
    data: { 'configuration.yaml': text },
  })

/** Signals a container's program, which must not be PID 1 of its own namespace: that one ignores such signals. */
const signal = (pod: string, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<string> =>
  kubectl([
    'exec',
    '-n',
    system,
    pod,
    '--',
    '/nodejs/bin/node',
    '-e',
    `
    const { readdirSync, readFileSync } = require('node:fs')
    const isWebhook = (pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0').includes('/app/webhook.js') } catch { return false } }
    for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).filter(isWebhook)) process.kill(Number(pid), '${signal}')
  `,
  ])

void t.test('certificates: no admission fails while authorities, certificates and replicas change', async (t) => {
  const folder = writeSelfManaged(
    'e2e-rotation',
    system,
    `patches:
  - target: {kind: Deployment}
    patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: akv-injector}, spec: {template: {spec: {shareProcessNamespace: true}}}}'
`,
  )
  await install(t, beside(await render(folder), 'rotation', environment))
  const replicas = () => readyPods(system, selector, 2, 120)
  await untilReachable(t, system, 'rotation')
  const team = await makeTeam(t, { [injectionLabel]: 'rotation' })
  const annotations = { vault: 'my-kv', objects: 'x' }
  const pods = await admitPods(
    t,
    team,
    pod(team, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] }),
  )

  const seen = new Set<string>()
  const anotherAuthority = (): Promise<void> =>
    eventually(
      'another authority has issued the certificate',
      async () => {
        const authority = await issuing()
        const isNew = authority !== false && !seen.has(authority)
        if (isNew) seen.add(authority)
        return isNew
      },
      { seconds: 120, every: 1000 },
    ).then(() => pods.more(20))

  const answers = (pod: string, path: string, pattern: RegExp) =>
    eventually(
      `${pod}${path} has ${String(pattern)}`,
      async () => {
        const text = await askReplica(system, pod, path)
        return pattern.test(text) && text
      },
      { seconds: 120, every: 2000 },
    )

  const stranger = await startStranger(t)
  const statusAt = async (path: string): Promise<number> =>
    (await stranger.post(`https://akv-injector.${system}.svc${path}`, {})).status
  const firstPath = await injectPath()
  t.match(firstPath, /^\/[0-9a-f]{32}\/mutate$/)
  t.equal(await statusAt(firstPath), 400, 'with the segment a body is read')

  await configure('tenant: 11111111-1111-1111-1111-111111111111')
  await anotherAuthority()
  await anotherAuthority()
  const secondPath = await eventually('another segment', async () => {
    const path = await injectPath()
    return path !== firstPath && path
  })
  t.equal(await statusAt(secondPath), 400, 'a segment is rotated with the authority')
  await eventually('the first segment is refused', async () => (await statusAt(firstPath)) === 404, { seconds: 120 })
  const [first, second] = await replicas()
  const stays = second!.metadata.name
  await answers(stays, '/metrics', /^akv_injector_configuration_valid 0$/m)
  t.match(
    await askReplica(system, stays, '/readyz'),
    /"ready":true,.*unknown field \\"tenant\\" \(did you mean \\"tenantId\\"\?\)/,
  )
  await configure('tenantId: 11111111-1111-1111-1111-111111111111')
  await kubectl(['delete', 'pod', '-n', system, first!.metadata.name, '--wait=true', '--timeout=60s'])
  await anotherAuthority()
  await answers(stays, '/metrics', /^akv_injector_configuration_valid 1$/m)
  const halves = ['deployment/akv-injector', 'deployment/akv-injector-standby']
  await kubectl(['rollout', 'restart', '-n', system, ...halves])
  for (const half of halves) await kubectl(['rollout', 'status', '-n', system, half, '--timeout=120s'])
  await anotherAuthority()
  t.strictSame(
    pods.failures(),
    [],
    `none of ${pods.admitted()} admissions failed in ${seen.size - 1} changes of the authority`,
  )

  // Before the second restart, the kubelet waits ten seconds.
  for (const [component, restarts] of [
    ['webhook', 1],
    ['standby', 1],
    ['webhook', 2],
  ] as const) {
    const [victim] = await readyPods(system, `${selector},app.kubernetes.io/component=${component}`, 1)
    const { name } = victim!.metadata
    await signal(name, 'SIGKILL')
    await eventually(`the replica ${name} has been started again`, async () => {
      const { restartCount, ready } = statusOf(await get<Pod>(system, 'pod', name), 'webhook') ?? {}
      return restartCount === restarts && ready
    })
    await pods.more(20)
    t.comment(
      `${component} killed ${restarts}: ${pods.admitted()} admitted so far, ${pods.byStandby()} of them by the standby`,
    )
  }
  // A lost node looks like this to the API server: connections without an answer, until the endpoint is removed.
  const [hung] = await readyPods(system, `${selector},app.kubernetes.io/component=webhook`, 1)
  await signal(hung!.metadata.name, 'SIGSTOP')
  await readyPods(system, `${selector},app.kubernetes.io/component=webhook`, 0)
  await pods.more(20)
  await signal(hung!.metadata.name, 'SIGCONT')
  await replicas()
  await pods.more(20)
  await pods.stop()
  t.strictSame(pods.failures(), [], `none of ${pods.admitted()} admissions failed when replicas were killed or hung`)
  t.ok(pods.byStandby() > 0, `${pods.byStandby()} pods were injected by the standby`)
})
