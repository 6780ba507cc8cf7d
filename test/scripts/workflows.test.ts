import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'

interface Workflow {
  permissions?: Record<string, string>
  jobs: Record<string, { steps: { uses?: string; run?: string }[] }>
}

for (const file of globSync('.github/workflows/*.yml')) {
  const text = readFileSync(file, 'utf8')
  const { jobs, permissions } = parse(text) as Workflow
  const steps = Object.values(jobs).flatMap((job) => job.steps)

  void t.test(`workflow ${file}: every action is pinned to a commit, with its version in a comment`, async (t) => {
    const lines = text.split('\n').filter((line) => /^\s*- uses:|^\s+uses:/.test(line))
    t.equal(lines.length, steps.filter(({ uses }) => uses !== undefined).length)
    for (const line of lines) t.match(line, /uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  void t.test(`workflow ${file}: all jobs may only read, and no script expands an expression`, async (t) => {
    t.strictSame(permissions, { contents: 'read' })
    for (const { run = '' } of steps) t.notMatch(run, /\$\{\{/)
  })
}

void t.test('images: both are built from one base, by its digest', (t) => {
  const bases = ['Containerfile', 'test/emulator/Containerfile'].map(
    (file) => /^ARG BASE=(\S+)\nFROM \$\{BASE\}$/m.exec(readFileSync(file, 'utf8'))?.[1],
  )
  t.match(bases[0], /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
  t.equal(bases[1], bases[0])
  t.end()
})
