import { randomUUID } from 'node:crypto'
import t from 'tap'
import { purposes } from '../../webhook/review/decision.ts'
import { podTemplate, pod } from './support/apps.ts'
import { apply, get, list } from './support/kubectl.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'
import { reviewOf, startStranger } from './support/stranger.ts'

const hosts = ['akv-injector', 'akv-injector-standby'].map((service) => `https://${service}.akv-injector-system.svc`)

interface Event {
  involvedObject: { kind: string; name: string; uid: string }
  reportingComponent?: string
}

void t.test('strangers: a pod that sends reviews to the webhook gets 404 and nothing else', async (t) => {
  const team = await makeTeam(t)
  const stranger = await startStranger(t)
  const asked = pod(team, 'app', {
    annotations: { vault: 'my-kv', objects: 'x' },
    containers: [{ name: 'app', script: 'true' }],
  })
  const guessed = randomUUID().replaceAll('-', '')
  for (const host of hosts) {
    for (const path of [...purposes, 'report/validate', `${guessed}/mutate`, `${guessed}/guard`, '']) {
      const { status, headers, text } = await stranger.post(`${host}/${path}`, reviewOf(asked))
      t.strictSame(
        { status, keys: Object.keys(JSON.parse(text) as object) },
        { status: 404, keys: ['code', 'message'] },
        `${host}/${path}`,
      )
      t.match(JSON.parse(text), { code: 404, message: /^there is nothing at POST / })
      t.notMatch(JSON.stringify(headers), /akv|fastify/i, 'no header tells more')
    }
  }
})

void t.test('strangers: Events go only to an owner that exists, with its UID', async (t) => {
  const team = await makeTeam(t)
  const stranger = await startStranger(t)
  // With a segment, which a pod knows only if it may read the registrations.
  const { webhooks } = await get<{ webhooks: { name: string; clientConfig: { service: { path: string } } }[] }>(
    '',
    'mutatingwebhookconfiguration',
    'akv-injector',
  )
  const path = webhooks.find(({ name }) => name.startsWith('inject.'))?.clientConfig.service.path ?? ''
  const labels = { app: 'web' }
  const template = podTemplate({ labels, containers: [{ name: 'app', script: 'true' }] })
  await apply({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: team },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  })
  const { metadata } = await get(team, 'replicaset', 'web')
  const { uid = '' } = metadata
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid, controller: true }
  const claims = [
    { ...owner, uid: randomUUID() },
    { ...owner, name: 'nothing-there' },
    { ...owner, kind: 'StatefulSet' },
    { ...owner, apiVersion: 'v1', kind: 'Node', name: 'node' },
    { ...owner, apiVersion: 'v1', kind: 'ServiceAccount', name: 'app' },
    owner,
  ]
  const asked = pod(team, 'web-1', {
    annotations: { vault: 'my-kv', objects: 'x' },
    containers: [{ name: 'app', script: 'true' }],
  })
  for (const claim of claims) {
    const claiming = { ...asked, metadata: { ...asked.metadata, ownerReferences: [claim] } }
    t.match(
      await stranger.post(`${hosts[0]}${path}`, reviewOf(claiming)),
      { status: 200 },
      `${claim.kind} ${claim.name}`,
    )
  }
  const ours = async (): Promise<Event[]> =>
    (await list<Event>(team, 'events')).filter(({ reportingComponent }) => reportingComponent === 'akv-injector')
  const events = await eventually('an Event on the one that exists', async () => {
    const events = await ours()
    return events.some(({ involvedObject }) => involvedObject.uid === uid) && events
  })
  t.strictSame(
    events.map(({ involvedObject: { kind, name, uid } }) => ({ kind, name, uid })),
    [{ kind: 'ReplicaSet', name: 'web', uid }],
  )
})
