import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { apply } from './support/kubectl.ts'
import { getPod, logHas, statusOf } from './support/pods.ts'
import { canary, untilSigterm } from './support/variables.ts'

void t.test('environment variables: values that none can have, at the first fetch', async (t) => {
  const secret = canary('bad')
  const { namespace, emulator, vault } = await makeFixture(t, {})
  const cases: [name: string, value: string, message: string][] = [
    ['quoted', `${secret}'`, 'it contains a single quote'],
    ['empty', '', 'it is empty'],
    ['nul', `${secret}\0`, 'it contains a NUL character'],
    ['windows', `${secret}\r\n`, 'it has lines that end with CRLF'],
    ['binary', Buffer.of(0xff, 0xfe).toString('base64'), 'it is not UTF-8 text'],
  ]
  for (const [name, value] of cases) await emulator.setSecret(vault, name, value)
  const objects = [...cases.map(([name]) => (name === 'binary' ? `{ name: ${name}, encoding: base64 }` : name))]
  await apply(
    pod(namespace, 'app', {
      annotations: {
        vault,
        objects: `[${objects.join()}]`,
        env: cases.map(([name]) => `${name.toUpperCase()}=${name}`).join(),
      },
      containers: [{ name: 'app', script: untilSigterm }],
    }),
    pod(namespace, 'long', {
      annotations: {
        vault,
        objects: 'windows',
        'template-line': `{% for i in (1..700) %}{{ "${'x'.repeat(100)}" }}{% endfor %}`,
        'template-all': `{% for i in (1..1400) %}{{ "${'x'.repeat(100)}" }}\n{% endfor %}`,
        env: 'LINE=template:line, ALL=template:all',
      },
      containers: [{ name: 'app', script: untilSigterm }],
    }),
  )
  for (const [name, , message] of cases) {
    const log = await logHas(namespace, 'app', sidecarContainer, `secret ${name}@`)
    t.match(
      log,
      new RegExp(`secret ${name}@\\w+: ${message}, which the environment variable ${name.toUpperCase()} cannot have`),
    )
    t.notOk(log.includes(secret))
  }
  await logHas(
    namespace,
    'long',
    sidecarContainer,
    /template \\"line\\": it has a line of \d+ bytes, more than the 65535/,
  )
  await logHas(
    namespace,
    'long',
    sidecarContainer,
    /template \\"all\\": it takes \d+ bytes with its name, more than the 131072/,
  )
  const ended = await eventually(
    'the sidecar gives up',
    async () => statusOf(await getPod(namespace, 'app'), sidecarContainer)?.lastState?.terminated,
  )
  t.match(ended.message, /secret quoted@\w+: it contains a single quote/, 'kubectl describe pod has the reason')
  t.notOk(ended.message?.includes(secret))
  const { spec: _spec, status } = await getPod(namespace, 'app')
  t.notOk(JSON.stringify(status).includes(secret))
})
