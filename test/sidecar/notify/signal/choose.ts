/** Chooses a signal's target among made-up processes. */
import { type Test } from 'tap'
import { createProcFolder } from '../../../../sidecar/notify/signal/procfs.ts'
import { type Choice, chooseTarget } from '../../../../sidecar/notify/signal/target.ts'
import { type ProcessSpec, writePod } from './proc-tree.ts'

export const pidsOf = (choice: Choice): number[] | string =>
  'outcome' in choice ? choice.outcome : choice.processes.map(({ pid }) => pid).sort((a, b) => a - b)

export function choose(
  t: Test,
  processes: ProcessSpec[],
  wanted: { container: string; process?: string } = { container: 'app' },
) {
  return chooseTarget(createProcFolder(writePod(t.testdir(), processes)), wanted)
}

export const app = { pid: 20, comm: 'app', container: 'app' } satisfies ProcessSpec
export const exec = { pid: 30, comm: 'bash', container: 'app' } satisfies ProcessSpec

export const nginx = [
  { pid: 20, comm: 'sh', container: 'app', argv: ['/bin/sh', '-c', 'nginx'] },
  { pid: 21, comm: 'nginx', ppid: 20, container: 'app', argv: ['nginx: master process /usr/sbin/nginx'] },
  { pid: 22, comm: 'nginx', ppid: 21, container: 'app', argv: ['nginx: worker process'] },
  { pid: 23, comm: 'nginx', ppid: 21, container: 'app', argv: ['nginx: worker process'] },
] satisfies ProcessSpec[]
