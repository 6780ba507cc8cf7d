import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import {
  isDead,
  createProcFolder,
  parsePlace,
  parseStat,
  parseStatus,
} from '../../../../sidecar/notify/signal/procfs.ts'
import { mountinfoOf, podUid, statOf, writePod, writeProcess } from './proc-tree.ts'

const recorded =
  '20 (sh) S 0 20 20 0 -1 4194560 754 0 0 0 0 1 0 0 20 0 1 0 104314 2322432 348 18446744073709551615 1 1 0 0 0 0 0 4 65538 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n'

void t.test('procfs: a stat line, as a kernel wrote it, is parsed', async (t) => {
  t.strictSame(parseStat(recorded), { pid: 20, comm: 'sh', state: 'S', ppid: 0, threads: 1, start: 104314 })
})

void t.test('procfs: process names may contain spaces, parentheses and line feeds', async (t) => {
  for (const comm of ['a b', '(sd-pam)', 'x) R 1 (y', ') Z 0', '((', 'tab\tand\nline', '', 'käse']) {
    t.match(
      parseStat(statOf({ pid: 7, ppid: 3, comm, start: 99 })),
      { pid: 7, ppid: 3, comm, state: 'S', start: 99 },
      comm,
    )
  }
  const name = fc.string({ unit: 'binary', maxLength: 15 })
  fc.assert(fc.property(name, fc.nat(), (comm, ppid) => t.equal(parseStat(statOf({ pid: 7, comm, ppid }))?.ppid, ppid)))
})

void t.test('procfs: truncated lines and other texts are not a stat line', async (t) => {
  for (const text of ['', '20', '20 (sh', '20 (sh) S 0 20', ')(', 'x (sh) S 0', recorded.slice(0, 40)])
    t.equal(parseStat(text), undefined, JSON.stringify(text))
})

void t.test('procfs: a zombie is dead, a leader whose threads live on is not', async (t) => {
  const dead = { R: false, S: false, D: false, T: false, Z: true, X: true }
  for (const [state, expected] of Object.entries(dead))
    t.equal(isDead({ pid: 7, comm: 'app', state, ppid: 0, threads: 1, start: 1 }), expected, state)
  t.notOk(isDead({ pid: 7, comm: 'app', state: 'Z', ppid: 0, threads: 4, start: 1 }))
})

void t.test('procfs: user IDs and signal sets are parsed', async (t) => {
  const text =
    'Name:\tredis\nUid:\t999\t998\t997\t996\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t4000000000004002\n'
  t.strictSame(parseStatus(text), { uids: [999, 998, 997], blocked: 0n, ignored: 0x1001n, caught: 0x4000000000004002n })
  t.strictSame(parseStatus('Name:\tx\nUid:\t0\t0\t0\t0\n'), { uids: [0, 0, 0] }, 'a kernel that shows no signals')
  t.equal(parseStatus('Name:\tx\n'), undefined)
})

void t.test('procfs: the mounted termination log shows the container of a process', async (t) => {
  const place = { device: '254:0', folder: '/var/lib/kubelet/pods', podUid, container: 'app', instance: '16d3aef2' }
  const app = { pid: 20, comm: 'app', container: 'app', instance: '16d3aef2' }
  const folders = {
    usual: '/var/lib/kubelet/pods',
    elsewhere: '/data/my kubelet\\040x/pods',
    'own disk': '/pods',
    'pods on a disk of their own': '',
  }
  for (const [name, podsFolder] of Object.entries(folders))
    t.match(
      parsePlace(mountinfoOf({ ...app, podsFolder: podsFolder.replaceAll(' ', '\\040') })),
      { ...place, folder: podsFolder.replaceAll(' ', '\\040') },
      name,
    )
  t.strictSame(parsePlace(mountinfoOf({ ...app, terminationMessagePath: '/tmp/odd dir/last words' })), place)
  t.strictSame(
    parsePlace(mountinfoOf({ ...app, instance: '16d3aef2//deleted' })),
    place,
    'deleted on the node meanwhile',
  )
  t.equal(parsePlace(mountinfoOf({ pid: 20, comm: 'app' })), 'none')
  t.equal(parsePlace(''), 'none')
  const outer = mountinfoOf({ ...app, container: 'runner', podUid: 'outer' })
  t.strictSame(parsePlace(outer + mountinfoOf(app)), place, 'a node that is itself a container')
})

void t.test('procfs: mounts that a container may have made itself do not count', async (t) => {
  const own = parsePlace(mountinfoOf({ pid: 13, comm: 'node', container: 'akv-injector' }))
  if (typeof own === 'string') return t.fail('the sidecar has a place')
  const sibling = mountinfoOf({ pid: 20, comm: 'sibling', container: 'sibling' })
  const row = (device: string, root: string) => `200 99 ${device} ${root} /x rw - ext4 /dev/sda1 rw\n`
  const folder = '/var/lib/kubelet/pods'
  const forged = {
    'on another device': row('0:77', `${folder}/${podUid}/containers/app/ff`),
    'in a volume of the pod': row(
      '254:0',
      `${folder}/${podUid}/volumes/kubernetes.io~empty-dir/data/pods/${podUid}/containers/app/ff`,
    ),
    'with the folder of the pods as its root': row('254:0', `/${podUid}/containers/app/ff`),
    "of another pod's container": row('254:0', `${folder}/another/containers/app/ff`),
  }
  for (const [name, text] of Object.entries(forged)) {
    t.match(parsePlace(sibling + text, own), { container: 'sibling' }, name)
    t.match(parsePlace(text + sibling, own), { container: 'sibling' }, `${name}, before its own`)
    t.equal(parsePlace(text, own), 'none', `${name} alone`)
  }
  const both = sibling + mountinfoOf({ pid: 20, comm: 'app', container: 'app' })
  t.equal(parsePlace(both, own), 'none', 'a process that shows two containers is in neither')
  t.match(parsePlace(sibling + sibling, own), { container: 'sibling' }, 'one row twice is one place')
})

void t.test('procfs: files of a process are read up to a limit', async (t) => {
  const folder = writePod(t.testdir(), [{ pid: 20, comm: 'app', container: 'app' }])
  const place = readFileSync(join(folder, '20/mountinfo'), 'utf8')
  const filler = `200 99 0:77 /${'x'.repeat(4_000)} /x rw - tmpfs tmpfs rw\n`
  writeFileSync(join(folder, '20/mountinfo'), place + filler.repeat(2_000))
  t.match(createProcFolder(folder).place(20), { container: 'app' })
  writeFileSync(join(folder, '20/mountinfo'), filler.repeat(2_000) + place)
  t.equal(createProcFolder(folder).place(20), 'none', '8 MB of mounts')
})

void t.test('procfs: the processes of a folder are listed', async (t) => {
  const folder = writePod(t.testdir(), [
    { pid: 20, comm: 'app', container: 'app', argv: ['/usr/bin/app', '-x'], uid: 1000 },
  ])
  const proc = createProcFolder(folder)
  const { processes, hidden } = await proc.list('all')
  t.strictSame(
    processes.map(({ pid }) => pid).sort((a, b) => a - b),
    [1, 13, 20],
    'and nothing that is not a process',
  )
  t.notOk(hidden)
  t.equal(proc.stat('self')?.pid, 13)
  t.match(proc.place('self'), { podUid, container: 'akv-injector' })
  t.match(proc.place(20), { podUid, container: 'app' })
  t.equal(proc.place(1), 'none')
  t.equal(proc.argv0(20), '/usr/bin/app')
  t.equal(proc.status(20)?.uids[0], 1000)
  t.equal(proc.uptime(), 100_000_000)
})

void t.test('procfs: processes whose parent is outside are found, whatever their name', async (t) => {
  const specs = [
    { pid: 20, comm: 'x) S 7 (y', container: 'app' },
    { pid: 21, comm: ') S 0 1', ppid: 20 },
    { pid: 22, comm: 'a', ppid: 10 },
    { pid: 23, comm: 'zombie', state: 'Z' },
  ]
  const { processes } = await createProcFolder(writePod(t.testdir(), specs)).list('parentless')
  t.strictSame(
    processes.map(({ pid }) => pid).sort((a, b) => a - b),
    [1, 13, 20, 23],
  )
})

void t.test('procfs: thousands of processes are read in turns with other work', async (t) => {
  const crowd = Array.from({ length: 2_000 }, (_, i) => ({ pid: 100 + i, comm: 'w', ppid: 20, bare: true }))
  const listed = createProcFolder(writePod(t.testdir(), crowd)).list('all')
  let turns = 0
  const other = setInterval(() => turns++, 0)
  t.equal((await listed).processes.length, 2_002)
  clearInterval(other)
  t.ok(turns > 0, `${turns} turns`)
})

void t.test('procfs: processes that vanish or that the kernel hides are handled', async (t) => {
  const folder = writePod(t.testdir(), [
    { pid: 20, comm: 'app' },
    { pid: 21, comm: 'app' },
  ])
  rmSync(join(folder, '20/stat'))
  rmSync(join(folder, '21'), { recursive: true })
  const proc = createProcFolder(folder)
  t.strictSame(
    (await proc.list('all')).processes.map(({ pid }) => pid).sort((a, b) => a - b),
    [1, 13],
    'gone between the listing and the read',
  )
  t.equal((await proc.list('all')).hidden, false)
  t.equal(proc.stat(21), undefined)
  t.equal(proc.place(21), 'gone')
  t.equal(proc.argv0(21), '')
  t.equal(proc.status(21), undefined)

  writeProcess(folder, { pid: 22, comm: 'app', refused: true })
  t.equal((await proc.list('parentless')).hidden, true)
  t.equal(proc.place(22), 'refused')
  t.equal(proc.stat(22), undefined)
})

void t.test('procfs: without procfs every process counts as hidden', async (t) => {
  const proc = createProcFolder(join(t.testdir(), 'nowhere'))
  t.strictSame(await proc.list('all'), { processes: [], hidden: true })
  t.equal(proc.uptime(), undefined)
})
