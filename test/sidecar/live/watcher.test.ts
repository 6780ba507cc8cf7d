import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LiveWatcher } from '../../../sidecar/live/watcher.ts'
import { LiveFiles, type LiveTexts } from '../../../sidecar/live/annotations.ts'
import { settingsWith } from '../../support/settings.ts'

const none: LiveTexts = { refresh: '', suspend: '', 'poll-interval': '', 'log-level': '' }

/** A control over texts that a test changes; the first look is over. */
function stand(first: Partial<LiveTexts> = {}) {
  let texts: LiveTexts = { ...none, ...first }
  const control = new LiveWatcher(settingsWith(['a']), () => texts)
  const problems = control.begin()
  return { control, problems, change: (next: Partial<LiveTexts>) => ((texts = { ...texts, ...next }), control.check()) }
}

void t.test('live annotations: each change causes a poll, a new schedule or nothing', (t) => {
  const { change } = stand()
  t.equal(change({}), undefined, 'no change, nothing to do')
  t.strictSame(change({ refresh: '1' }), { problems: [], isRefreshed: true, isRescheduled: false })
  t.equal(change({}), undefined, 'one request is one poll')
  t.strictSame(change({ refresh: '' }), { problems: [], isRefreshed: false, isRescheduled: false }, 'taken away')
  t.strictSame(change({ suspend: 'true' }), { problems: [], isRefreshed: false, isRescheduled: true })
  t.strictSame(change({ 'poll-interval': '5m' }), { problems: [], isRefreshed: false, isRescheduled: true })
  t.strictSame(change({ 'log-level': 'debug' }), { problems: [], isRefreshed: false, isRescheduled: false })
  t.end()
})

void t.test('live annotations: an invalid value is reported once', (t) => {
  const { change, problems } = stand({ suspend: 'yes' })
  t.equal(problems.length, 1)
  t.strictSame(change({ refresh: '1' })?.problems, [], 'another annotation changed')
  t.match(change({ 'log-level': 'loud' })?.problems, [/"loud"/])
  t.strictSame(change({ 'log-level': 'info' })?.problems, [])
  t.match(change({ 'log-level': 'loud' })?.problems, [/"loud"/], 'valid in between')
  t.end()
})

void t.test('live annotations: a replaced file is read again, and its last text stands while it is unreadable', (t) => {
  const folder = t.testdir({ refresh: '1\r\n' })
  const path = join(folder, 'refresh')
  utimesSync(path, 1000, 1000)
  const files = new LiveFiles(folder)
  t.equal(files.text('refresh'), '1', 'without the end of the line')
  writeFileSync(path, '2\r\n')
  utimesSync(path, 1000, 1000)
  t.equal(files.text('refresh'), '1', 'the same file with the same time is not read again')
  utimesSync(path, 1000, 1005)
  t.equal(files.text('refresh'), '2')
  rmSync(path)
  mkdirSync(path)
  t.equal(files.text('refresh'), '2', 'what cannot be read')
  rmSync(path, { recursive: true })
  t.equal(files.text('refresh'), '', 'what is not there')
  t.end()
})
