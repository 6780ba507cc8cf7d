import t, { type Test } from 'tap'
import { annotationPrefix, environmentContainer, sidecarContainer } from '../../shared/names.ts'
import { leaveOut } from '../support/needs.ts'
import { pod, podTemplate } from './support/apps.ts'
import { makeFixture } from './support/fixture.ts'
import { apply, kubectl, list, logs, tryApply } from './support/kubectl.ts'
import { getPod, logHas, readyPod, statusOf, type Pod } from './support/pods.ts'
import { run } from './support/process.ts'
import { canary, untilSigterm, variablesOf, type Entry } from './support/variables.ts'

const image = process.env['E2E_APP_IMAGE'] ?? 'busybox:1.37'

const refresh = (namespace: string, name: string, value: string) =>
  kubectl(['annotate', 'pod', '-n', namespace, name, '--overwrite', `${annotationPrefix}refresh=${value}`])

void t.test('environment variables: every kind of container has them, and a restart brings a new value', async (t) => {
  const values = { one: canary('one'), two: canary('two') }
  const { namespace, emulator, vault } = await makeFixture(
    t,
    { 'db-password': values.one, 'api-key': "it's" },
    { 'pod-security.kubernetes.io/enforce': 'restricted' },
  )
  const print = 'console.log(process.env.DB_PASSWORD + " " + process.env.DSN); setInterval(() => {}, 1e9)'
  const asking = pod(namespace, 'app', {
    annotations: {
      vault,
      objects: 'db-password, none',
      'template-url': 'db:{{ secrets["db-password"] }}',
      env: 'DB_PASSWORD=db-password, URL=template:url',
      'poll-interval': '1h',
      signal: 'SIGTERM',
      'signal-container': 'app',
    },
    initContainers: [
      { name: 'migrate', script: 'echo $DB_PASSWORD' },
      { name: 'helper', script: `echo $DB_PASSWORD; ${untilSigterm}`, restartPolicy: 'Always' },
    ],
    containers: [
      { name: 'app', script: `echo $DB_PASSWORD $URL; ${untilSigterm}` },
      {
        ...{ name: 'shell-less', script: '', image: process.env['E2E_IMAGE'] },
        command: ['/nodejs/bin/node', '-e', print],
        env: [{ name: 'DSN', value: 'password=$(DB_PASSWORD)' }],
      },
    ],
  })
  const absent = await tryApply([asking])
  t.equal(absent.code, 0, absent.stderr)
  await logHas(namespace, 'app', sidecarContainer, 'secret none')
  await emulator.setSecret(vault, 'none', 'x')
  const ready = await readyPod(namespace, 'app')
  t.strictSame(
    ready.spec.initContainers?.map(({ name }) => name),
    [sidecarContainer, environmentContainer, 'migrate', 'helper'],
  )
  for (const name of ['migrate', 'helper']) await logHas(namespace, 'app', name, values.one)
  await logHas(namespace, 'app', 'app', `${values.one} db:${values.one}`)
  await logHas(namespace, 'app', 'shell-less', `${values.one} password=${values.one}`)

  await t.test('an ephemeral container that names a file has its variable', async () => {
    const path = `/api/v1/namespaces/${namespace}/pods/app/ephemeralcontainers`
    const current = JSON.parse(await kubectl(['get', '--raw', path])) as { spec: Record<string, unknown> }
    const { env } = (ready.spec.containers.find(({ name }) => name === 'app') as { env: Entry[] }) ?? {}
    current.spec['ephemeralContainers'] = [
      {
        ...{ name: 'debugger', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', 'echo $DB_PASSWORD'] },
        ...{ env, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
      },
    ]
    await kubectl(['replace', '--raw', path, '-f', '-'], JSON.stringify(current))
    await logHas(namespace, 'app', 'debugger', values.one)
  })

  await t.test('rotation and SIGTERM: the new value is in the new process', async (t) => {
    await emulator.setSecret(vault, 'db-password', values.two)
    await refresh(namespace, 'app', 'two')
    await logHas(namespace, 'app', 'app', `${values.two} db:${values.two}`)
    const status = statusOf(await getPod(namespace, 'app'), 'app')
    t.match(status, { restartCount: 1, lastState: { terminated: { exitCode: 0 } } })
    const says = await kubectl([
      'exec',
      '-n',
      namespace,
      'app',
      '-c',
      'shell-less',
      '--',
      '/nodejs/bin/node',
      '-p',
      '1',
    ])
    t.equal(says.trim(), '1')
    t.equal(
      statusOf(await getPod(namespace, 'app'), 'shell-less')?.restartCount,
      0,
      'the other container keeps the old one',
    )
  })

  await t.test('a value that no variable can have keeps file and variable as they are', async (t) => {
    await emulator.setSecret(vault, 'db-password', `${values.two}'`)
    await refresh(namespace, 'app', 'three')
    const log = await logHas(namespace, 'app', sidecarContainer, /secret db-password@\w+: it contains a single quote/)
    t.notOk(log.includes(values.two))
    t.equal(
      await kubectl(['exec', '-n', namespace, 'app', '-c', 'app', '--', 'cat', '/mnt/secrets/db-password']),
      values.two,
    )
  })

  await t.test('the values are in no Event, log, audit log or key of etcd', async (t) => {
    const secrets = Object.values(values)
    const has = (text: string): boolean => secrets.some((value) => text.includes(value))
    t.notOk(has(await kubectl(['get', 'events', '-n', namespace, '-o', 'json'])), 'no Event')
    t.notOk(has(await kubectl(['get', 'pod', '-n', namespace, 'app', '-o', 'json'])), 'not the pod')
    t.notOk(has(await kubectl(['describe', 'pod', '-n', namespace, 'app'])))
    for (const name of [sidecarContainer, environmentContainer])
      t.notOk(has(await logs(namespace, 'app', name)), `not the log of ${name}`)
    for (const { metadata } of await list<Pod>('akv-injector-system', 'pods'))
      t.notOk(
        has(await kubectl(['logs', '-n', 'akv-injector-system', metadata.name])),
        `not the log of ${metadata.name}`,
      )
    await holdsNot(t, 'E2E_AUDIT_LOG', `/namespaces/${namespace}/pods`, has)
    await holdsNot(t, 'E2E_ETCD_DUMP', `/registry/pods/${namespace}/app`, has)
  })
})

/** Checks what a command of the environment prints: it has `known`, so that it shows what it should, and no secret. */
async function holdsNot(t: Test, variable: string, known: string, has: (text: string) => boolean): Promise<void> {
  const command = process.env[variable] ?? ''
  if (command === '') return leaveOut(t, `${variable} names no command`)
  const [program = '', ...args] = command.split(/\s+/)
  const { code, stdout, stderr } = await run(program, args)
  t.equal(code, 0, stderr)
  t.ok(stdout.includes(known), `${variable}: the output is complete`)
  t.notOk(has(stdout), `${variable}: no secret in ${stdout.length} characters`)
}

void t.test('environment variables: env alone, without a mount, in the modes classic and once', async (t) => {
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'one' })
  const annotations = { vault, env: 'DB_PASSWORD=db-password', 'mount-path': 'none' }
  const print = { name: 'app', script: `echo $DB_PASSWORD; ls /mnt/secrets 2>&1; ${untilSigterm}` }
  await apply(pod(namespace, 'classic', { annotations: { ...annotations, mode: 'classic' }, containers: [print] }))
  const template = podTemplate({
    annotations: { ...annotations, mode: 'once' },
    containers: [{ name: 'app', script: 'echo $DB_PASSWORD' }],
    spec: { restartPolicy: 'Never' },
  })
  await apply({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'once', namespace }, spec: { template } })
  const classic = await readyPod(namespace, 'classic')
  t.match(await logHas(namespace, 'classic', 'app', /No such file/), /^one\n/)
  t.strictSame(variablesOf(classic), { [environmentContainer]: ['AKV_ENV_DB_PASSWORD'], app: ['DB_PASSWORD'] })
  await kubectl(['wait', '-n', namespace, 'job/once', '--for=condition=Complete', '--timeout=90s'])
  t.equal(await kubectl(['logs', '-n', namespace, 'job/once', '-c', 'app']), 'one\n')
})
