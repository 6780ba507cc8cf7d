import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { annotate } from './support/apps.ts'
import { drainingWeb, readyEndpoints, startClient } from './support/draining-web.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { apply, kubectl, logs } from './support/kubectl.ts'
import { getPod, readyPods, statusOf } from './support/pods.ts'

void t.test('signal restart: SIGTERM restarts two replicas one after the other, and no request fails', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'one' })
  // The test requests a poll of each replica, so that the restarts are certainly apart; a splay only makes that likely.
  const annotations = { vault, objects: 'db-password', 'poll-interval': '1h', signal: 'SIGTERM' }
  await apply(...drainingWeb(namespace, { replicas: 2, annotations, periodSeconds: 1 }))
  const names = (await readyPods(namespace, 'app=web', 2)).map(({ metadata }) => metadata.name)
  await bothServe()
  const { count, answered } = await startClient(namespace)
  await answered(`${names[0]} one`, `${names[1]} one`)

  await emulator.setSecret(vault, 'db-password', 'two')
  for (const name of names) {
    await kubectl([
      'annotate',
      'pod',
      '-n',
      namespace,
      name,
      ...Object.entries(annotate({ refresh: 'two' })).map((pair) => pair.join('=')),
    ])
    await eventually(`${name} was restarted`, async () => {
      const status = statusOf(await getPod(namespace, name), 'app')
      return status?.restartCount === 1 && status.ready
    })
    t.match(await logs(namespace, name, 'app', '--previous'), 'SIGTERM, until no request arrives')
    t.match(await logs(namespace, name, sidecarContainer), '"outcome":"delivered"')
    await bothServe()
    await answered(`${name} two`)
  }

  const { asked, failed, errors, answers } = await count()
  t.equal(failed, 0, JSON.stringify(errors))
  t.comment(`${asked} requests: ${JSON.stringify(answers)}`)
  for (const name of names) {
    const status = statusOf(await getPod(namespace, name), 'app')
    t.match(status, { restartCount: 1, lastState: { terminated: { exitCode: 0 } } }, 'once, by the app itself')
  }

  function bothServe(): Promise<unknown> {
    return eventually('both are endpoints of the Service', async () => (await readyEndpoints(namespace)) === 2)
  }
})
