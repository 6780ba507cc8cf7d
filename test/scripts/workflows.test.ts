import { execFileSync } from 'node:child_process'
import { chmodSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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

void t.test('images: both are built from one base, which a release resolves to a digest', async (t) => {
  const bases = ['Containerfile', 'test/emulator/Containerfile'].map(
    (file) => /^ARG BASE=(\S+)\nFROM \$\{BASE\}$/m.exec(readFileSync(file, 'utf8'))?.[1],
  )
  t.match(bases[0], /^[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?$/)
  t.equal(bases[1], bases[0])

  const { jobs } = parse(readFileSync('.github/workflows/release.yml', 'utf8')) as Workflow
  const script = jobs['release']?.steps.map(({ run = '' }) => run).find((run) => run.includes('ARG BASE='))
  for (const [base, resolved] of [
    ['example.com/node:24', 'example.com/node:24@sha256:abc'],
    ['example.com/node:24@sha256:def', 'example.com/node:24@sha256:def'],
  ]) {
    const folder = t.testdir({ Containerfile: `ARG BASE=${base}\n`, docker: '#!/bin/sh\necho \'"sha256:abc"\'\n' })
    chmodSync(join(folder, 'docker'), 0o755)
    const env = {
      PATH: `${folder}:${process.env['PATH']}`,
      GITHUB_REF_NAME: 'v1.2.3',
      GITHUB_OUTPUT: join(folder, 'out'),
    }
    execFileSync('bash', ['-euo', 'pipefail', '-c', script ?? 'false'], { cwd: folder, env })
    t.equal(readFileSync(env.GITHUB_OUTPUT, 'utf8'), `version=1.2.3\nbase=${resolved}\n`)
  }
})
