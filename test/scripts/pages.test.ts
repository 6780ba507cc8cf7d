import t from 'tap'
import { knownCommands, pageProblems } from '../../scripts/pages.ts'
import { anchorsOf, codeBlocks } from '../../scripts/pages/markdown.ts'

const page = 'docs/example.md'
const commands = await knownCommands()
const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\`\n`

const wrong: [what: string, text: string, problem: RegExp][] = [
  ['a link to no file', '[a](nowhere.md)', /nowhere\.md: there is no file docs\/nowhere\.md/],
  ['a link to no heading', '[a](signals.md#nowhere)', /signals\.md has no heading/],
  ['a link to no heading of its own', '# A\n\n[b](#b)', /docs\/example\.md has no heading/],
  ['a picture that does not exist', '<img src="images/none.svg">', /there is no file docs\/images\/none\.svg/],
  ['a file that does not exist', 'See `test/none.ts`.', /`test\/none\.ts`: there is no such file/],
  [
    'a bar in a cell',
    '| a | b |\n| --- | --- |\n| `x | y` | c |\n',
    /example\.md:3: the row has 3 cells, and its table 2/,
  ],
  ['a missing cell', '| a | b |\n| --- | --- |\n| c |\n', /example\.md:3: the row has 1 cells/],
  ['invalid YAML', fenced('yaml', 'a: ['), /example\.md:1: /],
  ['invalid JSON', fenced('json', '{a}'), /example\.md:1: /],
  [
    'a misspelled annotation',
    fenced('yaml', 'azure.keyvault.injector/objekts: a'),
    /no such annotation \(did you mean "objects"\?\)/,
  ],
  [
    'a pod that is not injected',
    fenced(
      'yaml',
      '{ apiVersion: v1, kind: Pod, metadata: { annotations: { azure.keyvault.injector/objects: a } }, spec: { containers: [{ name: a }] } }',
    ),
    /is not injected: the pod lacks the label/,
  ],
  [
    'a signal to a user that is not known',
    fenced(
      'yaml',
      '{ apiVersion: v1, kind: Pod, metadata: { labels: { azure.workload.identity/use: "true" }, annotations: { azure.keyvault.injector/vault: kv-1, azure.keyvault.injector/objects: a, azure.keyvault.injector/signal: SIGHUP } }, spec: { containers: [{ name: a }] } }',
    ),
    /user/,
  ],
  ['a shell block without a mark', fenced('sh', 'true'), /example\.md:1: no test runs this block/],
  ['a shell block with another mark', `<!-- later -->\n\n${fenced('sh', 'true')}`, /example\.md:3: no test runs/],
  [
    'a replaced block without a test',
    `<!-- replaced in tests -->\n\n${fenced('sh', 'true')}`,
    /:3: which test replaces/,
  ],
  [
    'a replaced block with a test that does not exist',
    `<!-- replaced in tests: test/none.test.ts -->\n\n${fenced('sh', 'true')}`,
    /:3: there is no file test\/none\.test\.ts/,
  ],
  ['a script that does not exist', 'Run `npm run nothing`.', /npm run nothing: package\.json has no such script/],
  ['a command that does not exist', 'Run `akv-injector nothing`.', /akv-injector nothing: there is no such command/],
  ['an option that does not exist', 'Run `akv-injector inject --nothing`.', /inject has no option --nothing/],
]

void t.test('pages: each kind of mistake is found', async (t) => {
  for (const [what, text, problem] of wrong) {
    const problems = await pageProblems(page, text, commands)
    t.equal(problems.length, 1, what)
    t.match(problems[0], problem, what)
  }
})

void t.test('pages: an option in a table of the page about the command line', async (t) => {
  t.strictSame(await pageProblems('docs/command-line.md', '| `--nothing FILE` | `--json` |', commands), [
    'docs/command-line.md: akv-injector has no option --nothing',
  ])
})

void t.test('pages: what is right has no problem', async (t) => {
  const right = [
    '[a](signals.md#which-signal) [b](https://example.com/none) `akv-injector sync role web` `npm run docs`',
    `<!-- needs Azure -->\n\n${fenced('sh', 'az login')}`,
    `<!-- replaced in tests: test/scripts/pages.test.ts, package.json -->\n\n${fenced('sh', 'true')}`,
    fenced('yaml', 'azure.keyvault.injector/objects: a'),
    fenced('yaml', 'any: thing'),
  ]
  t.strictSame(await pageProblems(page, right.join('\n'), commands), [])
})

void t.test('pages: blocks in lists and repeated headings', async (t) => {
  t.match(codeBlocks('1. A\n\n   <!-- needs Azure -->\n\n   ```sh\n   a\n     b\n   ```\n'), [
    { line: 5, language: 'sh', text: 'a\n  b\n', comment: 'needs Azure' },
  ])
  t.strictSame([...anchorsOf('# A b\n## A b\n```sh\n# no\n```\n### `c`: d')], ['a-b', 'a-b-1', 'c-d'])
})
