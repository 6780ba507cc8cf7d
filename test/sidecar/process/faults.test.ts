import { readFileSync, rmSync, writeFileSync } from 'node:fs'

import t from 'tap'
import type { Fault } from '../../emulator/faults.ts'
import { isReady, read } from '../../support/sidecar-bundle.ts'
import { get, sidecarFixture } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

void t.test(
  'process: no failure of vault or sign-in ends a sidecar that serves a set',
  { timeout: 90_000 },
  async (t) => {
    const fixture = await sidecarFixture(t)
    const sidecar = fixture.start()
    await isReady(sidecar)
    let count = 1
    const recovers = async (name: string) => {
      const value = `api-key-${++count}`
      fixture.emulator.vault('my-kv').setSecret('api-key', value)
      await until(`well again after: ${name}`, () => read(fixture.mount, 'api-key') === value, { timeoutMs: 40_000 })
      t.equal(sidecar.process.exitCode, null, name)
      t.equal((await get(`${sidecar.url}/livez`)).status, 200)
    }
    const failures = () => sidecar.log().filter(({ event, result }) => event === 'poll' && result === 'failed').length

    const during = async (name: string, begin: () => void | Promise<void>, end: () => void | Promise<void>) => {
      const before = failures()
      await begin()
      await until(`in trouble: ${name}`, () => failures() > before, { timeoutMs: 30_000 })
      t.equal(read(fixture.mount, 'api-key'), `api-key-${count}`, `${name}: the last good value`)
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
      await during(
        JSON.stringify(fault),
        () => void ({ remove } = fixture.emulator.fault({ fault })),
        () => remove(),
      )
    }
    const { authority } = fixture.emulator
    if (!authority) throw new Error('the emulator has an authority of its own')
    const names = ['*.vault.emulator.example', 'login.emulator.example', 'localhost']
    const reconnect = () => fixture.emulator.fault({ fault: { kind: 'reset' }, times: 2 })
    await during(
      'the certificate of the vault has expired',
      () => {
        fixture.emulator.useCertificate(authority.issue({ names, to: new Date(Date.now() - 1000) }))
        reconnect()
      },
      () => fixture.emulator.useCertificate(authority.issue({ names })),
    )
    await during(
      'the network is gone',
      () => fixture.emulator.offline(),
      () => fixture.emulator.online(),
    )
    const token = readFileSync(fixture.tokenPath)
    rmSync(fixture.tokenPath)
    await recovers('no token file, with a token that is still good')
    writeFileSync(fixture.tokenPath, token)
  },
)
