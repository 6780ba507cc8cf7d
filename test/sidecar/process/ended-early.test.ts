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
import { isReady, until, type Running, type Stage } from '../support/bundle.ts'
import { quick, stageWith, terminationOf, three } from '../support/stages.ts'

/** Linux alone drops SYNs at a full backlog. */
const dropsPackets = needs("Linux' full backlog", process.platform === 'linux')

/** Starts a sidecar, as in a new container, and waits for a line of its log. */
async function startUntil(stage: Stage, event: string, role: string): Promise<Running> {
  writeFileSync(join(stage.root, terminationLog), '')
  const sidecar = stage.start({ args: [role] })
  await until(event, () => sidecar.log().some((line) => line['event'] === event))
  return sidecar
}

void t.test('a signal before a set is served is a failure, and its reason stays', async (t) => {
  const stage = await stageWith(t)
  for (const [role, signal] of [
    ['run', 'SIGTERM'],
    ['run', 'SIGINT'],
    ['once', 'SIGTERM'],
  ] as const) {
    await t.test(`${signal} in the role ${role}, after a failed fetch`, async (t) => {
      const fault = stage.emulator.fault({ fault: { kind: 'throttle' } })
      const sidecar = await startUntil(stage, 'retry', role)
      sidecar.process.kill(signal)
      t.strictSame(await sidecar.exited, { code: 1, signal: null })
      t.match(terminationOf(stage), /^vault my-kv, secret db-user: .*429 /)
      fault.remove()
    })
    await t.test(`${signal} in the role ${role}, before the first answer`, async (t) => {
      const fault = stage.emulator.fault({ fault: { kind: 'hang' } })
      const sidecar = await startUntil(stage, 'started', role)
      sidecar.process.kill(signal)
      t.strictSame(await sidecar.exited, { code: 1, signal: null })
      t.equal(terminationOf(stage), three.map((name) => `secret ${name}: no answer yet`).join('\n'))
      fault.remove()
    })
  }
})

for (const role of ['run', 'once']) {
  void t.test(`${role}: once a set is served, no reason is left and an end is no failure`, async (t) => {
    const stage = await stageWith(t)
    const fault = stage.emulator.fault({ fault: { kind: 'throttle' } })
    const sidecar = await startUntil(stage, 'retry', role)
    t.match(terminationOf(stage), /429/)
    fault.remove()
    if (role === 'run') {
      await isReady(sidecar)
      t.equal(terminationOf(stage), '')
      sidecar.process.kill('SIGTERM')
    }
    t.strictSame(await sidecar.exited, { code: 0, signal: null })
    t.equal(terminationOf(stage), '')
  })
}

void t.test('objects that no retry makes usable are reported after 15 s', { timeout: 60_000 }, async (t) => {
  const stage = await stageWith(t, ['key/odd-curve', 'key/incomplete'])
  const vault = stage.emulator.vault('my-kv')
  vault.importKey('odd-curve', { kty: 'EC', crv: 'P-256K', x: 'AQ', y: 'AQ' })
  vault.importKey('incomplete', { kty: 'EC', crv: 'P-256', x: 'AQ' })
  const sidecar = stage.start()
  const started = performance.now()
  t.match(await sidecar.exited, { code: 1 })
  const seconds = (performance.now() - started) / 1000
  t.ok(seconds > 14 && seconds < 25, `${seconds} s`)
  t.match(terminationOf(stage), /key odd-curve.*P-256K/)
  t.match(terminationOf(stage), /key incomplete: 200, but it holds no public key/)
})

void t.test('a network that drops packets is reported as such, not as a slow vault', dropsPackets, async (t) => {
  const stage = await stageWith(t, three, { ...quick, startupTimeout: 8_000 })
  const sidecar = stage.start({ env: { HTTPS_PROXY: `http://127.0.0.1:${await deafPort(t)}` } })
  t.match(await sidecar.exited, { code: 1 })
  t.match(terminationOf(stage), /ETIMEDOUT: it does not answer; is there a network policy or firewall\?/)
})

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
