import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { environmentProblem } from '../../../sidecar/environment/environment-problem.ts'

const main = join(import.meta.dirname, '../../../sidecar/environment/main.ts')

void t.test('environment: variables that the kubelet left empty are named', async (t) => {
  t.equal(environmentProblem({ AKV_ENV_A: 'x', B: '', AKV_ENV_: 'y' }), undefined, 'only those of the annotation env')
  t.equal(environmentProblem({}), undefined, 'optional ones may be missing')
  t.match(
    environmentProblem({ AKV_ENV_B: '', AKV_ENV_A: '', AKV_ENV_C: 'canary' }),
    /^the kubelet of this node set the environment variables A, B empty, so it is older than Kubernetes 1\.35 or has the feature EnvFiles turned off: upgrade the node/,
  )
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`AKV_ENV_${'X'.repeat(250)}${index}`, '']))
  const problem = environmentProblem(many) ?? ''
  t.match(problem, / and 80 more empty/)
  t.ok(problem.length < 8000)
})

const said = /environment variable A empty.* \(docs: troubleshooting\.md#sidecar-environment\)\n?$/

void t.test('environment: the program fails with the sentence in its log and in the termination message', async (t) => {
  const root = t.testdir({ dev: {} })
  mkdirSync(join(root, 'app'))
  const run = (env: Record<string, string>) =>
    promisify(execFile)(process.execPath, [main, 'app'], { env: { AKV_INJECTOR_ROOT: root, ...env } })
  const ended = await run({ AKV_ENV_A: '', AKV_ENV_B: 'canary' }).catch((error: unknown) => error)
  t.match(ended, { code: 1, stdout: '', stderr: said })
  t.match(readFileSync(join(root, 'dev/termination-log'), 'utf8'), said)
  t.match(await run({ AKV_ENV_A: 'x', NODE_OPTIONS: '' }), { stdout: '', stderr: '' })
  const names = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`AKV_ENV_${'X'.repeat(60)}${index}`, '']))
  const crowded = await run({ ...names, AKV_INJECTOR_CONTAINERS: '30' }).catch((error: unknown) => error)
  const kept = readFileSync(join(root, 'dev/termination-log'))
  t.ok(kept.length <= 409, 'in a pod of thirty containers, the kubelet keeps no more')
  t.match(kept.toString(), /^the kubelet .* \(docs: troubleshooting\.md#sidecar-environment\)$/)
  t.match((crowded as { stderr: string }).stderr, new RegExp(`${'X'.repeat(60)}3`), 'and the log has the rest')
  const unwritable = await run({ AKV_ENV_A: '', AKV_INJECTOR_ROOT: join(root, 'none') }).catch(
    (error: unknown) => error,
  )
  t.match(unwritable, { code: 1, stderr: said }, 'without a file for the message')
})
