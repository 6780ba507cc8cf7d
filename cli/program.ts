import { Command, CommanderError } from 'commander'
import { createLogger } from '../shared/log.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { parseConfiguration } from '../webhook/configuration/configuration.ts'
import { addCheck, type CheckContext } from './check/command.ts'
import { explain } from './explain.ts'
import { injectDocuments, type InjectOptions, type Report } from './inject.ts'
import { migrateDocuments, type Migration } from './migrate.ts'
import { addRotation } from './rotation/command.ts'
import { scanDocuments, type Finding } from './scan.ts'
import { syncRole } from './sync-role.ts'

/** The inputs and outputs of a command, and how it fails. */
export interface CommandContext extends CheckContext {
  /** Reads a file, or standard input for `-`. Rejects with a message for people. */
  read: (file: string) => Promise<string>
}

interface InjectFlags {
  filename: string[]
  configuration?: string
  namespace: string
  clientId?: string
  tenantId?: string
  oldestKubelet?: string
  image: string
  json?: true
}

interface RoleFlags {
  filename?: string[]
  namespace: string
  programNamespace: string
  allowDelete?: true
}

type ScanFlags = Pick<InjectFlags, 'filename' | 'namespace' | 'json'>

/** Runs the command line with the arguments after the program's name. */
export async function runProgram(args: readonly string[], context: CommandContext): Promise<void> {
  try {
    await createProgram(context).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has printed the error. Help and version end in this way, too.
    if (error.exitCode !== 0) context.exit(2)
  }
}

/** The commands; Commander prints help and usage errors itself. */
function createProgram(context: CommandContext): Command {
  const { version, out, err, exit } = context
  const program = new Command('akv-injector')
    .description('Azure Key Vault objects for Kubernetes pods: what the webhook does, on your machine')
    .version(version)
    .configureOutput({ writeOut: out, writeErr: err })
    .exitOverride()
  const collect = (file: string, files: string[] = []): string[] => [...files, file]
  const withPods = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .requiredOption('-f, --filename <file>', 'manifests to read, - for standard input; may be repeated', collect)
      .option('-c, --configuration <file>', "the administrator's file (configuration.yaml)")
      .option('-n, --namespace <name>', 'the namespace of objects that name none', 'default')
      .option('--tenant-id <id>', 'the tenant, unless the configuration names one')
      .option('--client-id <id>', 'the client ID of ServiceAccounts that are not among the manifests')
      .option('--oldest-kubelet <version>', 'the version of the oldest node, such as v1.34.0; the newest is assumed')
      .option('--image <image>', "the sidecar's image, unless the configuration names one", `akv-injector:${version}`)
      .option('--json', 'report as JSON, one line for each pod')
  withPods(
    'inject',
    'print manifests as the webhook would leave their pods, and report each decision on standard error',
  ).action(async (flags: InjectFlags) => inject(flags, context))
  withPods(
    'migrate',
    'replace volumes of the Secrets Store CSI driver by annotations, and report what remains to be done on standard error',
  ).action(async (flags: InjectFlags) => migrate(flags, context))
  program
    .command('scan')
    .description('find literal values in variables and ConfigMaps that look like secrets; values are never printed')
    .requiredOption('-f, --filename <file>', 'manifests to read, - for standard input; may be repeated', collect)
    .option('-n, --namespace <name>', 'the namespace of objects that name none', 'default')
    .option('--json', 'report as JSON, one line for each value')
    .action(async (flags: ScanFlags) => scan(flags, context))
  addCheck(program, context)
  addRotation(program, context)
  const sync = program.command('sync').description('about the program that writes Kubernetes Secrets')
  sync
    .command('role')
    .description('print the Role and the RoleBinding that a SecretProviderClass needs to have its Secrets written')
    .argument('<class>', 'its name')
    .option('-f, --filename <file>', 'manifests to read, - for standard input; may be repeated', collect)
    .option('-n, --namespace <name>', 'the namespace of objects that name none', 'default')
    .option('--program-namespace <name>', 'the namespace of akv-injector-sync', 'akv-injector-system')
    .option(
      '--allow-delete',
      'add the right to delete the Secrets, without which OpenShift allows no change of an owner',
    )
    .action(async (name: string, flags: RoleFlags) => role(name, flags, context))
  program
    .command('explain')
    .description(
      'say what a reason code of a denial, a warning, an Event or a metric means, or the code of a message of the sidecar',
    )
    .argument('<reason>')
    .action((reason: string) => {
      const explained = explain(reason)
      if (explained.ok) return out(`${explained.value.join('\n')}\n`)
      err(`${explained.problems.join('\n')}\n`)
      exit(2)
    })
  return program
}

async function inject(flags: InjectFlags, context: CommandContext): Promise<void> {
  const { out, err, exit } = context
  const result = await fromManifests('inject', flags, context, injectDocuments)
  if (result === undefined) return
  out(result.text)
  for (const report of result.reports) err(flags.json ? `${JSON.stringify(report)}\n` : textOf(report))
  if (result.reports.some(({ outcome }) => outcome === 'denied')) exit(1)
}

async function migrate(flags: InjectFlags, context: CommandContext): Promise<void> {
  const { out, err, exit } = context
  const result = await fromManifests('migrate', flags, context, migrateDocuments)
  if (result === undefined) return
  out(result.text)
  for (const one of result.migrations) err(flags.json ? `${JSON.stringify(one)}\n` : migrationText(one))
  if (result.migrations.some(({ outcome }) => outcome === 'unchanged')) exit(1)
}

/** Reads the files and the options, and calls a command with them; undefined if something could not be read, which was said. */
async function fromManifests<T>(
  command: string,
  flags: InjectFlags,
  { version, read, err, exit }: CommandContext,
  use: (text: string, options: InjectOptions) => Promise<Result<T>>,
): Promise<T | undefined> {
  const refuse = (...problems: string[]): undefined => void refuseAll(command, problems, { err, exit })
  const { configuration } = flags
  const texts = await readAll([...(configuration === undefined ? [] : [configuration]), ...flags.filename], read)
  if (!texts.ok) return refuse(...texts.problems)
  const file = configuration === undefined ? '' : (texts.value.shift() ?? '')
  const parsed = parseConfiguration(file)
  if (!parsed.ok) return refuse(...parsed.problems.map((problem) => `${flags.configuration}: ${problem}`))
  const { namespace, clientId, oldestKubelet, image, tenantId } = flags
  const result = await use(joined(texts.value), {
    ...{ namespace, image, version },
    ...(clientId === undefined ? {} : { clientId }),
    ...(oldestKubelet === undefined ? {} : { oldestKubelet }),
    configuration: tenantId === undefined ? parsed.value : { tenantId, ...parsed.value },
    log: createLogger('error'),
  })
  return result.ok
    ? result.value
    : refuse(...result.problems.map((problem) => `${flags.filename.join(', ')}: ${problem}`))
}

function migrationText({ kind, namespace, name, outcome, problems, notes }: Migration): string {
  const lines = [...problems, ...notes.map((note) => `to do: ${note}`)].map((line) => `  ${line}`)
  return `${[`${kind} ${namespace}/${name}: ${outcome}`, ...lines].join('\n')}\n`
}

function textOf({ kind, namespace, name, outcome, summary, problems, warnings }: Report): string {
  const lines = [
    `${kind} ${namespace}/${name}: ${outcome}${summary === undefined ? '' : ` (${summary})`}`,
    ...problems.map(({ reason, text }) => `  ${reason}: ${text}`),
    ...warnings.map(({ reason, text }) => `  warning ${reason}: ${text}`),
  ]
  return `${lines.join('\n')}\n`
}

async function scan({ filename, namespace, json }: ScanFlags, { read, out, err, exit }: CommandContext): Promise<void> {
  const refuse = (...problems: string[]): void => refuseAll('scan', problems, { err, exit })
  const texts = await readAll(filename, read)
  if (!texts.ok) return refuse(...texts.problems)
  const result = await scanDocuments(joined(texts.value), namespace)
  if (!result.ok) return refuse(...result.problems.map((problem) => `${filename.join(', ')}: ${problem}`))
  for (const finding of result.value) out(json ? `${JSON.stringify(finding)}\n` : lineOf(finding))
  if (result.value.length > 0) exit(1)
}

async function role(name: string, flags: RoleFlags, { read, out, err, exit }: CommandContext): Promise<void> {
  const { filename = ['-'], ...options } = flags
  const refuse = (...problems: string[]): void => refuseAll('sync role', problems, { err, exit })
  const texts = await readAll(filename, read)
  if (!texts.ok) return refuse(...texts.problems)
  const result = syncRole(joined(texts.value), { name, ...options })
  if (!result.ok) return refuse(...result.problems.map((problem) => `${filename.join(', ')}: ${problem}`))
  out(result.value.text)
  for (const problem of result.value.problems) err(`akv-injector sync role: left out: ${problem}\n`)
}

const lineOf = ({ kind, namespace, name, place, reason }: Finding): string =>
  `${kind} ${namespace}/${name}: ${place}: ${reason}\n`

/** Reads every file, or says why one cannot be read. */
async function readAll(files: readonly string[], read: CommandContext['read']): Promise<Result<string[]>> {
  try {
    return ok(await Promise.all(files.map(read)))
  } catch (error) {
    return fail((error as Error).message)
  }
}

/** Several files as the documents of one. */
const joined = (texts: readonly string[]): string => texts.map((text) => text.replace(/\n?$/, '\n')).join('---\n')

function refuseAll(
  command: string,
  problems: readonly string[],
  { err, exit }: Pick<CommandContext, 'err' | 'exit'>,
): void {
  for (const problem of problems) err(`akv-injector ${command}: ${problem}\n`)
  exit(2)
}
