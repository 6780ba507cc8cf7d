import { join, resolve } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { pathProblem, treeProblems, type PlannedFile } from '../../shared/paths.ts'

const right: [name: string, path: string][] = [
  ['a file', 'db-password'],
  ['a file in folders', 'tls/web/site.pem'],
  ['a hidden file', '.env'],
  ['dots in a name', 'a..b/c...'],
  ['a second component that begins with two dots', 'a/..b'],
  ['spaces, signs and letters of the world', 'my files/größe=1, {a}: "b"\'$(x).txt'],
  ['an emoji', '😀'],
  ['a component of 255 bytes', `${'ä'.repeat(127)}a`],
  ['a whole of 4096 bytes', `${'a/'.repeat(2047)}aa`],
]
for (const [name, path] of right) {
  void t.test(`paths: valid, ${name}`, async (t) => t.equal(pathProblem(path), undefined))
}

const wrong: [name: string, path: string, problem: string][] = [
  ['nothing', '', 'a path may not be empty'],
  ['an absolute path', '/etc/passwd', 'a path is relative to the mount and may not begin with "/"'],
  ['the parent', '..', 'a path may not begin with ".."'],
  ['a file of the parent', '../x', 'a path may not begin with ".."'],
  ["the volume's own entries", '..data/x', 'a path may not begin with ".."'],
  ['three dots', '...', 'a path may not begin with ".."'],
  ['a parent further in', 'a/../../x', 'a path may not have a component ".."'],
  ['a parent at the end', 'a/..', 'a path may not have a component ".."'],
  ['the folder itself', '.', 'a path may not have a component "."'],
  ['the folder itself further in', 'a/./b', 'a path may not have a component "."'],
  ['two slashes', 'a//b', 'a path may not have an empty component'],
  ['a slash at the end', 'a/', 'a path may not have an empty component'],
  ['NUL', 'a\0b', 'a path may not hold control characters or a backslash'],
  ['a line feed', 'a\nb', 'a path may not hold control characters or a backslash'],
  ['DEL', 'a\u007f', 'a path may not hold control characters or a backslash'],
  ['a backslash', 'a\\..\\b', 'a path may not hold control characters or a backslash'],
  ['half of a surrogate pair', 'a\ud800', 'a path must be well-formed Unicode'],
  ['a component of 256 bytes', 'ä'.repeat(128), 'a component of a path may be at most 255 bytes long'],
  ['a whole of 4097 bytes', `${'a/'.repeat(2048)}a`, 'a path may be at most 4096 bytes long'],
]
for (const [name, path, problem] of wrong) {
  void t.test(`paths: invalid, ${name}`, async (t) => t.equal(pathProblem(path), problem))
}

const component = fc.oneof(fc.constantFrom('..', '.', '', '...', '..a', 'a', '\\', '\0'), fc.string({ maxLength: 4 }))
const anyPath = fc.oneof(
  fc.array(component, { maxLength: 6 }).map((parts) => parts.join('/')),
  fc.string({ unit: 'binary' }),
)

void t.test('paths: no accepted path leaves the volume or names one of its own entries', async () => {
  const mount = '/mnt/secrets'
  fc.assert(
    fc.property(anyPath, (path) => {
      if (pathProblem(path) !== undefined) return true
      const full = resolve(mount, path)
      // That resolving changes nothing means that no component is special to the file system.
      return full === join(mount, path) && full === `${mount}/${path}` && !full.startsWith(`${mount}/..`)
    }),
    { numRuns: 5000 },
  )
})

const files = (...paths: string[]): PlannedFile[] => paths.map((path, index) => ({ path, source: `object ${index}` }))
const trees: [name: string, files: PlannedFile[], ...problems: string[]][] = [
  ['files side by side', files('a', 'b', 'c/d', 'c/e', 'ca', 'c.d')],
  [
    'one path twice',
    files('a/b', 'c', 'a/b'),
    'object 2 and object 0 are both written to "a/b"; give one of them another path',
  ],
  [
    'a file where another needs a folder',
    files('a', 'a/b'),
    'object 1 is written to "a/b", but object 0 is a file at "a"; give one of them another path',
  ],
  [
    'in the other order, and deeper',
    files('a/b/c/d', 'x', 'a/b'),
    'object 0 is written to "a/b/c/d", but object 2 is a file at "a/b"; give one of them another path',
  ],
  [
    'several under one file',
    files('a/b', 'a/c/d', 'a'),
    'object 0 is written to "a/b", but object 2 is a file at "a"; give one of them another path',
    'object 1 is written to "a/c/d", but object 2 is a file at "a"; give one of them another path',
  ],
  [
    'a file under a file under a file',
    files('a', 'a/b', 'a/b/c'),
    'object 1 is written to "a/b", but object 0 is a file at "a"; give one of them another path',
    'object 2 is written to "a/b/c", but object 1 is a file at "a/b"; give one of them another path',
  ],
  [
    'two in one folder under a file',
    files('a', 'a/b/c', 'a/b/d'),
    'object 1 is written to "a/b/c", but object 0 is a file at "a"; give one of them another path',
    'object 2 is written to "a/b/d", but object 0 is a file at "a"; give one of them another path',
  ],
  [
    'two sources of many files each, said once',
    [
      ...['x/0', 'x/1', 'x/2'].map((path) => ({ path, source: 'secret x' })),
      ...['x/0', 'x/1'].map((path) => ({ path, source: 'key x' })),
    ],
    'key x and secret x are both written to "x/0"; give one of them another path',
  ],
]
for (const [name, planned, ...problems] of trees) {
  void t.test(`paths: files of one tree, ${name}`, async (t) => t.strictSame(treeProblems(planned), problems))
}

void t.test('paths: a tree has problems exactly if its files cannot all be created', async () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  fc.assert(
    fc.property(fc.array(path, { maxLength: 6 }), (paths) => {
      const clash = paths.some((one, i) =>
        paths.some((other, j) => i !== j && (one === other || other.startsWith(`${one}/`))),
      )
      return clash === treeProblems(files(...paths)).length > 0
    }),
    { numRuns: 2000 },
  )
})

void t.test('paths: deep folders and many files cost little', async (t) => {
  const deep = Array.from({ length: 2000 }, () => 'a').join('/')
  const many = Array.from({ length: 1000 }, (_, index) => ({ path: `${deep}/${index}`, source: `object ${index}` }))
  const before = process.cpuUsage()
  t.strictSame(treeProblems(many), [])
  const { user } = process.cpuUsage(before)
  // Going through every folder of every file takes a hundred times as long.
  t.ok(user < 2_000_000, `${user} microseconds`)
})
