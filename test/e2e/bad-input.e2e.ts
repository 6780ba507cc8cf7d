import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { logHas, readyPod, statusOf, getPod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture, type Fixture } from './support/fixture.ts'

/** A fixture whose vault has one valid secret and four that cannot be read as requested. */
async function badFixture(t: Test): Promise<Fixture> {
  const fixture = await makeFixture(t, { good: 'delivered', blob: 'not base64!', off: 'x' })
  const { emulator, vault } = fixture
  await emulator.setSecret(vault, 'broken', 'AAECAwQ=', { contentType: 'application/x-pkcs12', managed: true })
  await emulator.disableSecret(vault, 'off')
  await emulator.setKey(
    vault,
    'signing',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  )
  return fixture
}

const objects = (optional: boolean): string =>
  [
    '- good',
    `- {name: broken, optional: ${optional}}`,
    `- {name: blob, encoding: base64, optional: ${optional}}`,
    `- {name: off, optional: ${optional}}`,
    `- {name: signing, optional: ${optional}}`,
  ].join('\n')

/** Vault, object and remedy, as messages contain them. */
const messages = (vault: string): RegExp[] => [
  new RegExp(`vault ${vault}, secret broken@[0-9a-f]+: .*PKCS#12 .*; import the certificate into the vault again`),
  new RegExp(
    `vault ${vault}, secret blob@[0-9a-f]+: the value is not base64: .*; store it as base64, or leave encoding out`,
  ),
  new RegExp(`vault ${vault}, secret off: 403 SecretDisabled: .*enable it or add a new version`),
  new RegExp(`vault ${vault}, secret signing: 404 SecretNotFound: .*does it have another type\\?`),
]

const app = {
  name: 'app',
  script: 'ls /mnt/secrets; echo app: $(cat /mnt/secrets/good); while :; do sleep 1; done',
}

void t.test('bad input: unreadable optional objects are reported and do not affect the others', async (t) => {
  const { namespace, vault } = await badFixture(t)
  await apply(pod(namespace, 'app', { annotations: { vault, objects: objects(true) }, containers: [app] }))
  await readyPod(namespace, 'app')
  const log = await logHas(namespace, 'app', 'app', 'app: delivered')
  t.strictSame(log.trim().split('\n'), ['good', 'app: delivered'])
  for (const message of messages(vault))
    t.ok(await logHas(namespace, 'app', sidecarContainer, message), String(message))
})

void t.test(
  'bad input: unreadable required objects fail the start, and kubectl describe pod names each with its remedy',
  async (t) => {
    const { namespace, vault } = await badFixture(t)
    await apply(pod(namespace, 'app', { annotations: { vault, objects: objects(false) }, containers: [app] }))
    const described = await eventually('kubectl describe pod has the reasons', async () => {
      const text = await kubectl(['describe', 'pod', '-n', namespace, 'app'])
      return messages(vault).every((message) => message.test(text)) && text
    })
    t.ok(described)
    t.match(statusOf(await getPod(namespace, 'app'), 'app')?.state, { waiting: {} }, 'the app did not start')
  },
)
