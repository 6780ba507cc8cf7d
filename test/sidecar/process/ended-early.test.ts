import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { terminationLog } from '../../../shared/names.ts'
import { needs } from '../../support/needs.ts'
import { isReady, type Running, type SidecarFixture } from '../../support/sidecar-bundle.ts'
import { quick, sidecarFixture, terminationOf, three } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

/** Linux alone drops SYNs at a full backlog. */
const dropsPackets = needs("Linux' full backlog", process.platform === 'linux')

/** Starts a sidecar, as in a new container, and waits for a line of its log. */
async function startUntil(fixture: SidecarFixture, event: string, role: string): Promise<Running> {
  writeFileSync(join(fixture.root, terminationLog), '')
  const sidecar = fixture.start({ args: [role] })
  await until(event, () => sidecar.log().some((line) => line['event'] === event))
  return sidecar
}

void t.test('process: a signal before a set is served is a failure, and its reason stays', async (t) => {
  const fixture = await sidecarFixture(t)
  for (const [role, signal] of [
    ['run', 'SIGTERM'],
    ['run', 'SIGINT'],
    ['once', 'SIGTERM'],
  ] as const) {
    await t.test(`process: ${signal} in the role ${role} after a failed fetch ends it with the reason`, async (t) => {
      const fault = fixture.emulator.fault({ fault: { kind: 'throttle' } })
      const sidecar = await startUntil(fixture, 'retry', role)
      sidecar.process.kill(signal)
      t.strictSame(await sidecar.exited, { code: 1, signal: null })
      t.match(terminationOf(fixture), /^vault my-kv, secret db-user: .*429 /)
      fault.remove()
    })
    await t.test(
      `process: ${signal} in the role ${role} before the first answer ends it with the reason`,
      async (t) => {
        const fault = fixture.emulator.fault({ fault: { kind: 'hang' } })
        const sidecar = await startUntil(fixture, 'started', role)
        sidecar.process.kill(signal)
        t.strictSame(await sidecar.exited, { code: 1, signal: null })
        const lines = three.map((name) => `secret ${name}: no answer yet`).join('\n')
        t.equal(terminationOf(fixture), `${lines} (docs: troubleshooting.md#sidecar-no-answer)`)
        fault.remove()
      },
    )
  }
})

for (const role of ['run', 'once']) {
  void t.test(
    `process: in the role ${role} an end after a set was served is no failure and leaves no reason`,
    async (t) => {
      const fixture = await sidecarFixture(t)
      const fault = fixture.emulator.fault({ fault: { kind: 'throttle' } })
      const sidecar = await startUntil(fixture, 'retry', role)
      t.match(terminationOf(fixture), /429/)
      fault.remove()
      if (role === 'run') {
        await isReady(sidecar)
        t.equal(terminationOf(fixture), '')
        sidecar.process.kill('SIGTERM')
      }
      t.strictSame(await sidecar.exited, { code: 0, signal: null })
      t.equal(terminationOf(fixture), '')
    },
  )
}

const unusable: [
  what: string,
  key: Parameters<ReturnType<SidecarFixture['emulator']['vault']>['importKey']>[1],
  reason: RegExp,
][] = [
  ['a key on another curve', { kty: 'EC', crv: 'P-256K', x: 'AQ', y: 'AQ' }, /^vault my-kv, key odd@\w+: .*P-256K/],
  [
    'an incomplete key',
    { kty: 'EC', crv: 'P-256', x: 'AQ' },
    /^vault my-kv, key odd.*: 200, but it holds no public key/,
  ],
]
for (const [what, key, reason] of unusable) {
  void t.test(
    `process: ${what}, which no retry makes usable, is reported after 15 s`,
    { timeout: 120_000 },
    async (t) => {
      const fixture = await sidecarFixture(t, ['key/odd'])
      fixture.emulator.vault('my-kv').importKey('odd', key)
      const sidecar = fixture.start()
      const started = performance.now()
      t.match(await sidecar.exited, { code: 1 })
      const seconds = (performance.now() - started) / 1000
      t.ok(seconds > 14 && seconds < 25, `${seconds} s`)
      t.match(terminationOf(fixture), reason)
    },
  )
}

void t.test('process: in a pod of thirty containers, the kubelet keeps the whole reason', async (t) => {
  const fixture = await sidecarFixture(t)
  const objects = fixture.settings.objects.map((one, index) => ({ ...one, name: `${'x'.repeat(100)}${index}` }))
  const hang = fixture.emulator.fault({ fault: { kind: 'hang' } })
  const env = { AKV_INJECTOR_CONTAINERS: '30' }
  const waiting = fixture.start({ env, settings: { ...fixture.settings, objects } })
  await until('started', () => waiting.log().some((line) => line['event'] === 'started'))
  waiting.process.kill('SIGTERM')
  t.match(await waiting.exited, { code: 1 })
  const reason = terminationOf(fixture)
  t.ok(Buffer.byteLength(reason) <= 409, `${Buffer.byteLength(reason)} bytes`)
  t.match(reason, /^secret x+0: no answer yet\n.*\(docs: troubleshooting\.md#sidecar-no-answer\)$/s)
  hang.remove()

  const settings = { ...fixture.settings, [`y${'z'.repeat(2000)}`]: true, templates: { ['\u20ac'.repeat(300)]: 1 } }
  const broken = fixture.start({ env, settings: settings as never })
  t.match(await broken.exited, { code: 1 })
  const refusal = terminationOf(fixture)
  t.ok(Buffer.byteLength(refusal) <= 409, `${Buffer.byteLength(refusal)} bytes`)
  t.match(refusal, /^AKV_INJECTOR_SETTINGS: .*\(docs: troubleshooting\.md#sidecar-settings\)$/s)
})

void t.test('process: a token endpoint that drops connections is named as the reason', async (t) => {
  const fixture = await sidecarFixture(t, three, { ...quick, startupTimeout: 5_000 })
  fixture.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'reset' } })
  const sidecar = fixture.start()
  t.match(await sidecar.exited, { code: 1 })
  const reason = terminationOf(fixture)
  t.match(reason, /^vault my-kv, secret db-user: sign-in of identity .*: ECONNRESET/)
  t.equal(fixture.emulator.journal.counts('my-kv')['secrets.get'], undefined, 'no secret is requested without a token')
})

void t.test(
  'process: a network that drops packets is reported as such, not as a slow vault',
  dropsPackets,
  async (t) => {
    const fixture = await sidecarFixture(t, three, { ...quick, startupTimeout: 8_000 })
    const sidecar = fixture.start({ env: { HTTPS_PROXY: `http://127.0.0.1:${await deafPort(t)}` } })
    t.match(await sidecar.exited, { code: 1 })
    t.match(
      terminationOf(fixture),
      /ETIMEDOUT: \S+:\d+ did not accept a connection in time: does a firewall or network policy block it/,
    )
  },
)

/** A port whose backlog is full, behind which nothing accepts: Linux drops further SYNs. */
async function deafPort(t: Test): Promise<number> {
  const script = `const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  child.kill('SIGSTOP')
  const port = Number(line)
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
  const connects = async (): Promise<boolean> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    return Promise.race([once(socket, 'connect').then(() => true), sleep(500, false)])
  }
  for (let tries = 0; tries < 20; tries++) if (!(await connects())) return port
  throw new Error('the port still takes connections')
}
