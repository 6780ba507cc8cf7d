import t from 'tap'
import { parseConfiguration } from '../../../webhook/configuration/configuration.ts'
import { certificateFolder } from '../../support/server-certificate.ts'

const parse = (fields: object, read = (): string => '') =>
  parseConfiguration(
    JSON.stringify({
      coordinator: {
        url: 'https://coordinator.example:8443/',
        vaults: [{ namespaces: ['*'], vaults: ['my-kv'] }],
        ...fields,
      },
    }),
    read,
  )
const problems = (fields: object, read?: () => string): string[] => {
  const parsed = parse(fields, read)
  return parsed.ok ? [] : parsed.problems
}

void t.test('coordinator: every duration has a default', async (t) => {
  const parsed = parse({})
  t.match(parsed.ok && parsed.value.coordinator, {
    url: 'https://coordinator.example:8443',
    watchInterval: 15_000,
    heartbeat: 20_000,
    coverageAge: 60_000,
    reconnect: 30_000,
    startGrace: 180_000,
    lostGrace: 600_000,
    refusedAfter: 600_000,
    hintRate: 300,
  })
  t.equal(parseConfiguration('').ok && 'coordinator' in (parseConfiguration('') as { value: object }).value, false)
})

void t.test('coordinator: problems name the field', async (t) => {
  const wrong: [fields: object, problem: RegExp][] = [
    [{ url: 'http://coordinator.example' }, /^coordinator.url .*https:/],
    [{ url: 'https://coordinator.example/path' }, /^coordinator.url .*without a path/],
    [{ vaults: [] }, /^coordinator.vaults: /],
    [{ vaults: [{ namespaces: ['Shop'], vaults: ['my-kv'] }] }, /^coordinator.vaults.0.namespaces.0 /],
    [{ vaults: [{ namespaces: ['*'], vaults: ['a/b'] }] }, /^coordinator.vaults.0.vaults.0 /],
    [{ watchInterval: '100ms' }, /^coordinator.watchInterval/],
    [{ heartbeat: 'soon' }, /^coordinator.heartbeat "soon": /],
    [{ coverageAge: '30s' }, /^coordinator.coverageAge: expected more than/],
    [{ hintRate: 0 }, /^coordinator.hintRate: /],
    [{ caCertificates: 'x' }, /^coordinator.caCertificates: /],
    [
      { caCertificates: `${certificateFolder(t).cert}${' '.repeat(57_344)}` },
      /^coordinator.caCertificates: .* at most 57344 characters/,
    ],
    [{ caCertificatesFile: '/ca.crt' }, /^coordinator.caCertificatesFile: \/ca.crt: /],
    [{ watchIntervall: '5s' }, /unknown field "watchIntervall".*watchInterval/],
  ]
  for (const [fields, problem] of wrong) t.match(problems(fields)[0] ?? 'none', problem, JSON.stringify(fields))
})
