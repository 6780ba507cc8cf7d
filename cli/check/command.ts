import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Api } from '../../shared/kubernetes/api.ts'
import type { Result } from '../../shared/result.ts'
import { check } from './check.ts'
import { connect as connectByKubeconfig, type ConnectOptions } from './connect.ts'
import { textOf } from './finding.ts'
import { createReader } from './reader.ts'

/** What this command needs: its outputs, a cluster, and the time. */
export interface CheckContext {
  version: string
  out: (text: string) => void
  err: (text: string) => void
  /** Exit codes. 1: something was denied or found. 2: the command failed. 3: it is not known. */
  exit: (code: 1 | 2 | 3) => void
  /** Connects to the cluster of a kubeconfig by default. */
  connect?: (options: ConnectOptions) => Promise<Result<Api>>
  /** Milliseconds since 1970. */
  now?: () => number
}

interface CheckFlags extends ConnectOptions {
  namespace?: string
  pod?: string
  systemNamespace?: string
  vault: string
  output: 'text' | 'json'
}

/** Adds the command `check`. */
export function addCheck(program: Command, context: CheckContext): void {
  program
    .command('check')
    .description('check the installation in a cluster, or one pod, and say what to fix; nothing is changed')
    .option('-n, --namespace <name>', 'check the label of this namespace, and try a pod in it (dry run)', nameOf)
    .option('--pod <[namespace/]name>', 'check only this pod')
    .option('--system-namespace <name>', 'the namespace of the injector; all are searched by default', nameOf)
    .option('--vault <name>', 'the vault that the tried pod names; it is not read', 'akv-injector-check')
    .option('--kubeconfig <file>', 'the kubeconfig; KUBECONFIG and ~/.kube/config by default')
    .option('--context <name>', 'the context of the kubeconfig')
    .addOption(new Option('-o, --output <format>', 'the format').choices(['text', 'json']).default('text'))
    .action(async (flags: CheckFlags) => runCheck(flags, context))
}

async function runCheck(flags: CheckFlags, context: CheckContext): Promise<void> {
  const { out, exit, version, connect = connectByKubeconfig, now = Date.now } = context
  const refuse = (problems: readonly string[]): void => {
    for (const problem of problems) context.err(`akv-injector check: ${problem}\n`)
    exit(2)
  }
  const api = await connect(flags)
  if (!api.ok) return refuse(api.problems)
  const { systemNamespace, vault, output } = flags
  const result = await check(createReader(api.value), {
    ...{ systemNamespace, vault, version, now: now() },
    ...podOf(flags),
  })
  if (!result.ok) return refuse(result.problems)
  const findings = result.value
  const count = (status: string): number => findings.filter((one) => one.status === status).length
  if (output === 'json') out(`${JSON.stringify(findings, null, 2)}\n`)
  else {
    for (const finding of findings) out(textOf(finding))
    out(`${count('OK')} OK, ${count('WARN')} WARN, ${count('FAIL')} FAIL\n`)
  }
  if (count('FAIL') > 0) exit(1)
}

/** Splits `NAMESPACE/NAME`. */
function podOf({ pod, namespace }: CheckFlags): { pod: string | undefined; namespace: string | undefined } {
  const slash = pod?.indexOf('/') ?? -1
  if (pod === undefined || slash < 0) return { pod, namespace }
  return { pod: pod.slice(slash + 1), namespace: pod.slice(0, slash) }
}

/** Checks the name of a namespace. */
function nameOf(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return text
  throw new InvalidArgumentError('It is not the name of a namespace.')
}
