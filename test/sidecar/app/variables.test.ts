import { lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { objectOf } from '../../support/settings.ts'
import { podWith, type TestPod } from '../../support/sidecar-pod.ts'

const minute = 60_000

const variable = (pod: TestPod, name: string): string => readFileSync(join(pod.mount, '..data/..env', name), 'utf8')

void t.test('variables: each has a file that only its owner reads, inside the set', async (t) => {
  const pod = await podWith(t, ['db-password', objectOf('old', { history: 2 }), objectOf('none', { optional: true })], {
    templates: { 'a/url': 'x:{{ secrets["db-password"] }}' },
    variables: { DB_PASSWORD: 'db-password', AGAIN: 'db-password', OLD: 'old/0', URL: 'a/url', NONE: 'none' },
  })
  pod.vault.delete('none')
  await pod.start()
  t.equal(variable(pod, 'DB_PASSWORD'), "DB_PASSWORD='db-password-1'\n")
  t.equal(variable(pod, 'AGAIN'), "AGAIN='db-password-1'\n")
  t.equal(variable(pod, 'OLD'), "OLD='old-1'\n")
  t.equal(variable(pod, 'URL'), "URL='x:db-password-1'\n")
  t.equal(variable(pod, 'NONE'), '', 'an optional object that does not exist: a file without the key')
  t.equal(statSync(join(pod.mount, '..data/..env')).mode & 0o7777, 0o700)
  t.equal(statSync(join(pod.mount, '..data/..env/URL')).mode & 0o7777, 0o400)
  t.throws(() => lstatSync(join(pod.mount, '..env')), 'no link leads to them')
  t.strictSame(Object.keys(pod.files()).sort(), ['a/url', 'db-password', 'old/0'])

  pod.vault.set('db-password', 'two')
  pod.vault.set('none', 'there')
  await pod.advance(3 * minute)
  t.equal(variable(pod, 'DB_PASSWORD'), "DB_PASSWORD='two'\n")
  t.equal(variable(pod, 'URL'), "URL='x:two'\n")
  t.equal(variable(pod, 'NONE'), "NONE='there'\n")
  const names = pod.notifications.flatMap(({ changed }) => changed.map(({ name }) => name))
  t.strictSame([...new Set(names)].sort(), ['a/url', 'db-password', 'none'], 'told like any other change')

  const { length } = pod.events('vault-request').filter(({ operation }) => operation === 'get')
  pod.stop()
  await pod.start()
  t.equal(pod.events('serving').length, 1, 'a restart serves the set')
  t.equal(pod.events('vault-request').filter(({ operation }) => operation === 'get').length, length)
})

void t.test('variables: a folder of the same name elsewhere is an ordinary one', async (t) => {
  const pod = await podWith(t, [objectOf('a', { path: 'x/..env/a' })], { variables: { A: 'x/..env/a' } })
  await pod.start()
  t.equal(statSync(join(pod.mount, '..data/x/..env')).mode & 0o777, 0o755)
  t.equal(variable(pod, 'A'), "A='a-1'\n")
})

void t.test('variables: with a value that none can have, the pod does not start, and the reason is said', async (t) => {
  const pod = await podWith(t, ['db-password', 'other'], { variables: { DB_PASSWORD: 'db-password' } })
  pod.vault.set('db-password', "canary'quoted")
  await pod.start()
  t.equal(pod.status().ready, false)
  t.match(pod.termination, /^vault my-kv, secret db-password@\w+: it contains a single quote, which the environment/)
  await pod.advance(20_000)
  t.match(pod.end, {
    code: 1,
    reason: /remove DB_PASSWORD from the annotation env and let the app read the file \(docs: troubleshooting/,
  })
  t.notMatch(JSON.stringify([pod.lines, pod.end, pod.termination]), /canary/)
})

void t.test(
  'variables: in a rotation, the whole object keeps its last good value, and the others change',
  async (t) => {
    const pod = await podWith(t, ['db-password', 'other'], {
      templates: { url: '{{ secrets["db-password"] }} {{ secrets.other }}' },
      variables: { DB_PASSWORD: 'db-password', OTHER: 'other', URL: 'url' },
    })
    await pod.start()
    pod.vault.set('db-password', "canary'quoted")
    pod.vault.set('other', 'other-2')
    await pod.advance(3 * minute)
    t.strictSame(pod.files(), { 'db-password': 'db-password-1', other: 'other-2', url: 'db-password-1 other-2' })
    t.equal(variable(pod, 'DB_PASSWORD'), "DB_PASSWORD='db-password-1'\n")
    t.equal(variable(pod, 'OTHER'), "OTHER='other-2'\n")
    t.equal(variable(pod, 'URL'), "URL='db-password-1 other-2'\n")
    t.match(pod.events('object').at(-1), { name: 'db-password', state: 'failing', kind: 'render', msg: /single quote/ })
    t.notMatch(JSON.stringify(pod.lines), /canary/)
    pod.vault.set('db-password', 'three')
    await pod.advance(3 * minute)
    t.equal(variable(pod, 'DB_PASSWORD'), "DB_PASSWORD='three'\n")
    t.match(pod.events('object').at(-1), { state: 'recovered' })
  },
)

void t.test('variables: a template that gives a value that none can have keeps its last good file', async (t) => {
  const pod = await podWith(t, ['a'], { templates: { url: '{{ secrets.a }}' }, variables: { URL: 'url' } })
  await pod.start()
  pod.vault.set('a', '')
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { a: '', url: 'a-1' })
  t.equal(variable(pod, 'URL'), "URL='a-1'\n")
  t.match(pod.events('text').at(-1), {
    path: 'url',
    msg: 'template "url": it is empty, which the environment variable URL cannot have; store another value, or remove URL from the annotation env and let the app read the file',
  })
})

void t.test(
  'variables: together they fit into the environment of a process, or what changed keeps its value',
  async (t) => {
    const names = Array.from({ length: 9 }, (_, index) => `v${index}`)
    const large = `${'x'.repeat(60_000)}\n${'y'.repeat(60_000)}`
    const variables = Object.fromEntries(names.map((name) => [name.toUpperCase(), name]))
    await t.test('at the start, the pod does not start', async (t) => {
      const pod = await podWith(t, names, { variables })
      for (const name of names) pod.vault.set(name, large)
      await pod.start()
      await pod.advance(20_000)
      t.match(pod.end, {
        code: 1,
        reason:
          /^secret v0: with its new value, the environment variables of the pod take 1080\d+ bytes in all, and at most 1048576 fit; remove a/,
      })
    })
    await t.test('in a rotation', async (t) => {
      const pod = await podWith(t, [...names, 'free'], { variables })
      for (const name of names.slice(1)) pod.vault.set(name, large)
      await pod.start()
      t.equal(variable(pod, 'V0'), "V0='v0-1'\n")
      pod.vault.set('v0', large)
      pod.vault.set('free', 'free-2')
      await pod.advance(3 * minute)
      t.equal(variable(pod, 'V0'), "V0='v0-1'\n")
      t.equal(pod.files()['v0'], 'v0-1')
      t.equal(pod.files()['free'], 'free-2', 'what no variable has changes')
      t.match(pod.events('object').at(-1), { name: 'v0', state: 'failing' })
      pod.vault.set('v0', 'v0-3')
      await pod.advance(3 * minute)
      t.equal(variable(pod, 'V0'), "V0='v0-3'\n")
    })
  },
)

void t.test('variables: a file that something else changes is restored', async (t) => {
  const pod = await podWith(t, ['a'], { variables: { A: 'a' }, fullRefresh: minute })
  await pod.start()
  const file = join(pod.mount, '..data/..env/A')
  writeFileSync(`${file}2`, 'x')
  await pod.advance(10 * minute)
  t.match(pod.events('volume-tampered')[0], { entries: ['an entry that was added'] })
  t.throws(() => lstatSync(join(pod.mount, '..data/..env/A2')))
  t.equal(variable(pod, 'A'), "A='a-1'\n")
})
