import { randomUUID } from 'node:crypto'
import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { listing, makeServiceAccount, pod, watching } from './support/apps.ts'
import { apply, tryApply } from './support/kubectl.ts'
import { describedLastState, logHas, readyPod, sidecarStatus } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

const web = { app: 'web' }

void t.test('find: a secret becomes a file with its tag, and the file goes with it', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'x', other: 'y' })
  await emulator.setSecret(vault, 'web-a', 'a', { tags: web })
  const objects = `{ objects: [db-password, { find: { name: 'web-*', tags: { app: web }, group: web, path: 'web/{name}' } }],
    templates: { list: '{% for one in groups.web %}{{ one.name }},{% endfor %}' } }`
  await apply(
    pod(namespace, 'app', {
      annotations: { vault, objects, 'poll-interval': '3s' },
      containers: [{ name: 'app', script: watching }],
    }),
  )
  await readyPod(namespace, 'app')
  const has = (files: string) => logHas(namespace, 'app', 'app', `files ${files} .\n`)
  await has('./db-password=x ./list=web-a, ./web/web-a=a')
  await emulator.setSecret(vault, 'web-b', 'b', { tags: web })
  await has('./db-password=x ./list=web-a,web-b, ./web/web-a=a ./web/web-b=b')
  await emulator.tagSecret(vault, 'web-a', { app: 'api' })
  t.ok(await has('./db-password=x ./list=web-b, ./web/web-b=b'), 'without the tag, whatever on-delete says')
  const end = await emulator.fault({
    match: { vault, operation: 'secrets.list' },
    fault: { kind: 'status', status: 503 },
  })
  await emulator.tagSecret(vault, 'web-b', {})
  await logHas(namespace, 'app', sidecarContainer, '"event":"find"')
  await end()
  t.ok(await has('./db-password=x ./list= '.trimEnd()), 'nothing found is a state')
  const status = await sidecarStatus(t, namespace, 'app')
  t.match(status.finds, [{ type: 'secret', name: 'web-*', tags: web, group: 'web', complete: true, matches: 0 }])
})

void t.test('find: everything of a vault is denied, and the right to list is named', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'web-a': '1' })
  const containers = [{ name: 'app', script: listing }]
  const denied = await tryApply([
    pod(namespace, 'all', { annotations: { vault, objects: '[{ find: {} }]' }, containers }),
  ])
  t.match(denied.stderr, /find of secrets \*: this selects every secret of the vault.*find\.allowAll/)

  const client = randomUUID()
  await makeServiceAccount(namespace, 'reader', client)
  await emulator.allowOnly(client, vault, 'secrets/web-a')
  const spec = { serviceAccountName: 'reader' }
  const annotations = { vault, objects: '[{ find: { name: web-* } }]' }
  await apply(pod(namespace, 'reader', { annotations, containers, spec }))
  const role = /list of secrets: 403 ForbiddenByRbac: .*grant "Key Vault Secrets User" \(for the whole vault/s
  const described = await eventually(
    'describe names the role',
    async () => {
      const text = await describedLastState(namespace, 'reader')
      return role.test(text) && text
    },
    { seconds: 120 },
  )
  t.match(described, role)
})
