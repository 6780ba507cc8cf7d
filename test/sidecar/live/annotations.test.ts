import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import { initialValues, interpretLive, LiveFiles, type LiveTexts } from '../../../sidecar/live/annotations.ts'
import { settingsWith } from '../../support/settings.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const defaults = settingsWith([], { bounds: { pollInterval: { min: 30_000, max: 3_600_000 } } })
const none: LiveTexts = { refresh: '', suspend: '', 'poll-interval': '', 'log-level': '' }
const initial = initialValues(defaults)

void t.test('live annotations: a running pod follows them', async (t) => {
  const cases: [name: string, texts: Partial<LiveTexts>, values: object, problem?: RegExp][] = [
    ['none', {}, initial],
    ['an interval', { 'poll-interval': '5m' }, { pollInterval: 300_000 }],
    ['spaces around it', { 'poll-interval': ' 5m ' }, { pollInterval: 300_000 }],
    ['an interval below the bounds', { 'poll-interval': '1s' }, { pollInterval: 30_000 }, /bounds.*30s/],
    ['an interval above the bounds', { 'poll-interval': '24h' }, { pollInterval: 3_600_000 }, /bounds.*1h/],
    ['an interval that is none', { 'poll-interval': 'often' }, { pollInterval: 120_000 }, /"often".*it stays 2m/],
    ['suspended', { suspend: 'true' }, { suspend: true }],
    ['suspended, with spaces around it', { suspend: ' true ' }, { suspend: true }],
    ['a level, with spaces around it', { 'log-level': ' debug ' }, { logLevel: 'debug' }],
    ['not suspended', { suspend: 'false' }, { suspend: false }],
    ['suspended by another word', { suspend: 'yes' }, { suspend: false }, /"yes".*stays false/],
    ['a level', { 'log-level': 'debug' }, { logLevel: 'debug' }],
    ['an unknown level', { 'log-level': 'loud' }, { logLevel: 'info' }, /"loud".*stays info/],
    ['a refresh', { refresh: '1700000000' }, { refresh: '1700000000' }],
  ]
  for (const [name, texts, expected, problem] of cases) {
    const { values, problems } = interpretLive({ ...none, ...texts }, initial, defaults)
    t.match(values, expected, name)
    if (problem) t.match(problems, [problem], `${name}: said`)
    else t.strictSame(problems, [], `${name}: no problem`)
  }
})

void t.test(
  'live annotations: an invalid value keeps the last valid one, and removing it restores the settings',
  async (t) => {
    const { values } = interpretLive(
      { ...none, suspend: 'true', 'poll-interval': '10m', 'log-level': 'warn' },
      initial,
      defaults,
    )
    const invalid = interpretLive(
      { ...none, suspend: '1', 'poll-interval': '-1m', 'log-level': 'WARN' },
      values,
      defaults,
    )
    t.match(invalid.values, { suspend: true, pollInterval: 600_000, logLevel: 'warn' })
    t.equal(invalid.problems.length, 3)
    t.match(interpretLive(none, invalid.values, defaults).values, initial)
  },
)

void t.test('live annotations: they are read from the files of the downward API volume', async (t) => {
  const folder = temporaryFolder(t)
  let generation = 0
  /** As the kubelet: a new folder, one rename. */
  const write = (files: Record<string, string>) => {
    const name = `..${++generation}`
    mkdirSync(join(folder, name))
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, name, path), text)
    symlinkSync(name, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    for (const path of Object.keys(files)) {
      rmSync(join(folder, path), { force: true })
      symlinkSync(`..data/${path}`, join(folder, path))
    }
  }
  const live = new LiveFiles(folder)
  t.strictSame(live.texts(), none, 'nothing is mounted')
  write({ refresh: '', suspend: '', 'poll-interval': '', 'log-level': '' })
  t.strictSame(live.texts(), none, 'empty is unset')
  write({ refresh: '1', suspend: 'true', 'poll-interval': '1m\n', 'log-level': '' })
  t.strictSame(live.texts(), { refresh: '1', suspend: 'true', 'poll-interval': '1m', 'log-level': '' })
  write({ refresh: '2', suspend: 'true', 'poll-interval': '1m\n', 'log-level': '' })
  t.equal(live.texts().refresh, '2', 'a text of the same length')
  t.strictSame(new LiveFiles('/nonexistent').texts(), none)
})
