import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Settings } from '../../shared/settings/codec.ts'
import { coordinatorTokenFile } from '../../shared/names.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { clientId, read, startSidecarFixture } from '../support/sidecar-bundle.ts'
import { until } from '../support/until.ts'

/** The bundled sidecar and the coordinator's program, in front of the emulator. */
export async function processScene(t: Test, pollInterval: number, overrides: Partial<Settings> = {}) {
  const port = await freePort()
  const certificate = certificateFolder(t)
  const pod = await startSidecarFixture(['a', 'b'], {
    pollInterval,
    bounds: { pollInterval: { min: 50, max: 3_600_000 } },
    ...overrides,
    coordinator: {
      url: `https://localhost:${port}`,
      caCertificates: certificate.cert,
      ...{ coverageAge: 5_000, reconnect: 500 },
    },
  })
  t.teardown(() => pod.end())
  const vault = pod.emulator.vault('my-kv')
  for (const name of ['a', 'b']) vault.setSecret(name, `${name}-1`)
  const audience = 'akv-injector-coordinator/deployment/web'
  const token = await pod.issuer.token({ namespace: 'shop', serviceAccount: 'web', audience })
  writeFileSync(join(pod.root, coordinatorTokenFile), token)
  const { start, rotation, metrics } = await coordinatorProcess(t, { ...pod, port }, certificate)
  const requests = (): number => pod.emulator.journal.entries({ vault: 'my-kv', client: clientId }).length
  const serves = (value: string): Promise<boolean> =>
    until(`the pod serves ${value}`, () => read(pod.mount, 'a') === value)
  return { pod, vault, start, rotation, metrics, requests, serves }
}
