import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { realClock } from '../../shared/clock.ts'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import { listen } from '../../sync/listen.ts'
import { runSync } from '../../sync/run.ts'
import { listening, vaultUrl } from '../coordinator/scene.ts'
import { FakeApi } from '../support/fake-api.ts'
import { capturedLog } from '../support/captured-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

void t.test(
  'sync listen: a write reaches the classes through the coordinator, and again after it ended the session',
  async (t) => {
    const isAllowed = (namespace: string): boolean => namespace === 'akv-injector-system'
    const { coordinator, vault, url, cert, token, old } = await listening(t, { isAllowed })
    const object = { vault: vaultUrl, type: 'secret', name: 'a' } as const
    let served: ServedObject[] = [{ ...object, version: vault.set('a', '1') }]
    old()
    const hinted: string[] = []
    const tokenFile = join(temporaryFolder(t), 'token')
    const claims = { namespace: 'akv-injector-system', serviceAccount: 'akv-injector-sync' }
    writeFileSync(
      tokenFile,
      `${await token({ ...claims, audience: 'akv-injector-coordinator/deployment/akv-injector-sync' })}\n`,
    )
    const abort = new AbortController()
    const { log, lines } = capturedLog('info')
    const listener = listen({
      controller: {
        served: () => served,
        hint: ({ changes }) => void hinted.push(...changes.map(({ version }) => version ?? '')),
      },
      coordinator: { url, caCertificates: cert, coverageAge: 10_000, reconnect: 100 },
      ...{ tokenFile, clock: realClock, abort: abort.signal, log },
    })
    for (const value of ['2', '3']) {
      await until('the coordinator watches the object', () => coordinator.watcher.counts(10_000).fresh === 1)
      const version = vault.set('a', value)
      await until('the hint', () => hinted.includes(version))
      served = [{ ...object, version }]
      listener.changed()
      coordinator.sessions.close(0)
      await until('the session is over', () => lines.some((line) => line.includes('says goodbye')))
    }
    abort.abort()
    await listener.ended
    t.equal(coordinator.sessions.size, 0)
  },
)

void t.test('sync listen: the program holds a session if its configuration names a coordinator', async (t) => {
  const { coordinator, url, cert, token } = await listening(t)
  const folder = temporaryFolder(t)
  const [configurationFile, coordinatorTokenFile] = [join(folder, 'configuration.yaml'), join(folder, 'token')]
  const vaults = [{ namespaces: ['*'], vaults: ['*'] }]
  writeFileSync(
    configurationFile,
    JSON.stringify({ coordinator: { url, caCertificates: cert, vaults, reconnect: '1s' } }),
  )
  writeFileSync(coordinatorTokenFile, await token())
  const abort = new AbortController()
  const running = runSync({
    environment: {
      ...{ port: 0, logLevel: 'info', configurationFile, coordinatorTokenFile },
      pod: { namespace: 'akv-injector-system', name: 'akv-injector-sync-0' },
    },
    ...{ variables: {}, api: new FakeApi(), version: '1', log: capturedLog().log, abort: abort.signal },
  })
  t.ok(await until('there is a session', () => coordinator.sessions.size === 1))
  abort.abort()
  await running
  await until('it is over', () => coordinator.sessions.size === 0)
})
