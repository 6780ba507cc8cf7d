import t, { type Test } from 'tap'
import { runProgram } from '../../../cli/program.ts'
import type { ObjectRotation, RotationAnswer } from '../../../shared/coordination/rotation.ts'
import { sidecarContainer } from '../../../shared/names.ts'
import { encodeSettings, type Settings } from '../../../shared/settings/codec.ts'
import { settingsWith, vaultUrl } from '../../support/settings.ts'
import { apiServer } from './server.ts'

async function scene(t: Test) {
  const server = await apiServer(t)
  const coordinator = {
    metadata: { name: 'akv-injector-coordinator-1', namespace: 'akv-injector-system', uid: 'c' },
    spec: { containers: [{ name: 'coordinator' }] },
    status: { phase: 'Running', containerStatuses: [{ name: 'coordinator', ready: true }] },
  }
  server.state.coordinators = [coordinator]
  const run = async (...flags: string[]) => {
    const result = { out: '', err: '', code: 0 }
    await runProgram(['rotation', 'my-kv', 'db', '--kubeconfig', server.kubeconfig, ...flags], {
      version: '0.1.0',
      read: () => Promise.reject(new Error('the command reads no file')),
      out: (text) => (result.out += text),
      err: (text) => (result.err += text),
      exit: (code) => (result.code = code),
    })
    return result
  }
  const object: ObjectRotation = {
    ...{ vault: vaultUrl('my-kv'), type: 'secret', name: 'db', newest: { version: 'v2', created: 1_800_000_000 } },
    ...{ total: 1, current: 1, others: [], left: { behind: 0, unknown: 0 }, unknown: [], uids: ['u1'] },
  }
  /** What the coordinator's own program says. */
  const answer = (code: number, overrides: Partial<ObjectRotation> = {}): void => {
    const said: RotationAnswer = { vault: 'my-kv', name: 'db', objects: [{ ...object, ...overrides }], unknown: [] }
    server.state.program = { code, out: JSON.stringify(said) }
  }
  answer(0)
  return { ...server, coordinator, run, answer }
}

const access = { url: 'https://coordinator.example', coverageAge: 60_000, reconnect: 5_000 }

/** An injected pod whose sidecar runs. */
const pod = (name: string, uid: string, overrides: Partial<Settings> = {}, status: object = { running: {} }) => {
  const settings = settingsWith(['db'], { coordinator: access, ...overrides })
  return {
    metadata: { name, namespace: 'shop', uid },
    spec: {
      initContainers: [
        { name: sidecarContainer, env: [{ name: 'AKV_INJECTOR_SETTINGS', value: encodeSettings(settings) }] },
      ],
    },
    status: { phase: 'Running', initContainerStatuses: [{ name: sidecarContainer, state: status }] },
  }
}

void t.test('rotation: asks the coordinator by its own program, and adds what it cannot know', async (t) => {
  const { state, run, executed, pongs } = await scene(t)
  state.pods = [pod('web-0', 'u1'), { ...pod('web-1', 'u2'), spec: { containers: [{ name: 'app' }] } }]
  const complete = await run()
  t.match(complete, { code: 0, err: '' })
  t.match(complete.out, /^secret db in https:\/\/my-kv\.\S+: newest version v2, created 2027-01-15T08:00:00\.000Z\n/)
  t.match(complete.out, /\n {2}1 of 1 pods: serves the newest version, and its app uses it\n/)
  t.match(complete.out, /other clusters, pods in mode once/)
  t.strictSame(executed[0]?.getAll('command'), ['/nodejs/bin/node', '/app/rotation.js', '--json', 'my-kv', 'db'])
  t.equal(executed[0]?.get('container'), 'coordinator')
  t.strictSame(pongs, ['are you there'])

  state.pods = [
    pod('web-0', 'u1'),
    pod('old-0', 'u3', { coordinator: undefined as never }),
    pod('cut-0', 'u4'),
    pod('broken-0', 'u5', {}, { waiting: { reason: 'ImagePullBackOff' } }),
    pod('job-0', 'u6', { mode: 'once' }),
    { ...pod('done-0', 'u7'), status: { phase: 'Succeeded' } },
    pod('other-0', 'u8', { objects: settingsWith(['other-kv:secret/db']).objects }),
  ]
  const partial = await run()
  t.equal(partial.code, 3)
  const named = partial.out.split('\n').filter((line) => line.includes('no-session'))
  t.match(named, [
    /shop\/old-0: not known: no-session: its settings name no coordinator/,
    /shop\/cut-0: .*its sidecar has no session/,
    /shop\/broken-0: .*its sidecar does not run: ImagePullBackOff/,
  ])
  t.equal(named.length, 3)
  t.match(JSON.parse((await run('-o', 'json')).out), { withoutSession: [{ pod: 'old-0' }, {}, {}], objects: [{}] })
})

void t.test('rotation: exits with 1 if an app does not use the newest version', async (t) => {
  const { run, answer } = await scene(t)
  const others: ObjectRotation['others'] = [
    { namespace: 'shop', pod: 'web-1', state: 'failing', version: 'v1', cause: 'forbidden: \u001b[2J grant the role' },
  ]
  answer(1, { total: 2, others, left: { behind: 3, unknown: 2 } })
  const { code, out } = await run()
  t.equal(code, 1)
  t.match(out, /shop\/web-1: failing \(serves v1\): forbidden: \\u001b\[2J grant the role\n/)
  t.match(out, / {2}3 more do not use it\n {2}2 more are not known\n/)
})

void t.test(
  'rotation: exits with 2 if there is no coordinator to ask, and with 3 if pods cannot be listed',
  async (t) => {
    const { state, run, coordinator } = await scene(t)
    state.status = 403
    t.match(await run(), { code: 3, out: /not known: pods without a session cannot be found: .*you may not list pods/ })
    state.status = 200
    state.program = {}
    t.match(await run(), { code: 2, out: '', err: /get and create on pods\/exec: 403 pods "c" is forbidden/ })
    state.program = { code: 2, err: 'rotation.js: cannot ask the coordinator: connect ECONNREFUSED' }
    t.match(await run(), { code: 2, err: /akv-injector-coordinator-1: rotation\.js: cannot ask/ })
    state.program = { code: 0, out: 'no JSON' }
    t.match(await run(), { code: 2, err: /JSON/ })
    const elsewhere = { ...coordinator, metadata: { ...coordinator.metadata, namespace: 'platform' } }
    state.coordinators = [coordinator, elsewhere]
    t.match(await run(), { code: 2, err: /coordinators in akv-injector-system, platform: .*--system-namespace/ })
    state.coordinators = [{ ...coordinator, status: { containerStatuses: [{ name: 'coordinator', ready: false }] } }]
    t.match(await run(), { code: 2, err: /no coordinator that is ready/ })
  },
)
