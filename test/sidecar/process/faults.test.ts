import { readFileSync, rmSync, writeFileSync } from 'node:fs'

import t from 'tap'
import type { Fault } from '../../emulator/faults.ts'
import { isReady, read, until } from '../support/bundle.ts'
import { get, stageWith } from '../support/stages.ts'

void t.test('after readiness nothing makes it exit', { timeout: 90_000 }, async (t) => {
  const stage = await stageWith(t)
  const sidecar = stage.start()
  await isReady(sidecar)
  let count = 1
  const recovers = async (name: string) => {
    const value = `api-key-${++count}`
    stage.emulator.vault('my-kv').setSecret('api-key', value)
    await until(`well again after: ${name}`, () => read(stage.mount, 'api-key') === value, 40_000)
    t.equal(sidecar.process.exitCode, null, name)
    t.equal((await get(`${sidecar.url}/livez`)).status, 200)
  }
  const failures = () => sidecar.log().filter(({ event, result }) => event === 'poll' && result === 'failed').length

  const during = async (name: string, begin: () => void | Promise<void>, end: () => void | Promise<void>) => {
    const before = failures()
    await begin()
    await until(`in trouble: ${name}`, () => failures() > before, 30_000)
    t.equal(read(stage.mount, 'api-key'), `api-key-${count}`, `${name}: the last good value`)
    await end()
    await recovers(name)
  }
  const faults: Fault[] = [
    { kind: 'throttle' },
    { kind: 'forbid', inner: 'ForbiddenByFirewall' },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 503, body: 'upstream connect error' },
    { kind: 'hang' },
    { kind: 'stall' },
    { kind: 'cut' },
    { kind: 'reset' },
    { kind: 'garbage', body: 'html' },
    { kind: 'garbage', body: 'truncated' },
    { kind: 'unauthorized' },
    { kind: 'redirect', location: 'https://elsewhere.example/' },
  ]
  for (const fault of faults) {
    let remove = () => {}
    await during(JSON.stringify(fault), () => void ({ remove } = stage.emulator.fault({ fault })), () => remove()) // prettier-ignore
  }
  const { authority } = stage.emulator
  if (!authority) throw new Error('the emulator has an authority of its own')
  const names = ['*.vault.emulator.example', 'login.emulator.example', 'localhost']
  const reconnect = () => stage.emulator.fault({ fault: { kind: 'reset' }, times: 2 })
  await during('the certificate of the vault has expired', () => {
    stage.emulator.useCertificate(authority.issue({ names, to: new Date(Date.now() - 1000) }))
    reconnect()
  }, () => stage.emulator.useCertificate(authority.issue({ names }))) // prettier-ignore
  await during('the network is gone', () => stage.emulator.offline(), () => stage.emulator.online()) // prettier-ignore
  const token = readFileSync(stage.tokenPath)
  rmSync(stage.tokenPath)
  await recovers('no token file, with a token that is still good')
  writeFileSync(stage.tokenPath, token)
})
