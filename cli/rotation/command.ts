import { Option, type Command } from 'commander'
import { messageOf } from '../../shared/errors.ts'
import { exitCodeOf, type RotationAnswer } from '../../shared/coordination/rotation.ts'
import { rotationText } from '../../shared/coordination/rotation-text.ts'
import { fail, ok, type Result } from '../../shared/result.ts'
import { connect, loadKubeConfig, type ConnectOptions } from '../check/connect.ts'
import { createReader, type Read, type Reader } from '../check/reader.ts'
import { createExec, type Exec, type ExecTarget } from './exec.ts'
import { listedPodFields, withoutSession, type ListedPod } from './pods.ts'

/** What this command needs. */
export interface RotationContext {
  out: (text: string) => void
  err: (text: string) => void
  /** Exit codes. 1: some pods do not use the newest version. 2: the command failed. 3: it is not known. */
  exit: (code: 1 | 2 | 3) => void
}

interface RotationFlags extends ConnectOptions {
  namespace?: string
  systemNamespace?: string
  output: 'text' | 'json'
}

const selector = 'labelSelector=app.kubernetes.io%2Fcomponent%3Dcoordinator'
const container = 'coordinator'
/** In the image. */
const program = ['/nodejs/bin/node', '/app/rotation.js', '--json']

/** Adds the command `rotation`. */
export function addRotation(parent: Command, context: RotationContext): void {
  parent
    .command('rotation')
    .description('say which pods use the newest version of an object of a vault, and why the others do not')
    .argument('<vault>', "the vault's name or URL")
    .argument('<name>', 'the name of the secret, key or certificate')
    .option('-n, --namespace <name>', 'look for pods without a session in this namespace only')
    .option('--system-namespace <name>', 'the namespace of the coordinator; all are searched by default')
    .option('--kubeconfig <file>', 'the kubeconfig; KUBECONFIG and ~/.kube/config by default')
    .option('--context <name>', 'the context of the kubeconfig')
    .addOption(new Option('-o, --output <format>', 'the format').choices(['text', 'json']).default('text'))
    .action(async (vault: string, name: string, flags: RotationFlags) => runRotation({ vault, name }, flags, context))
}

async function runRotation(
  asked: { vault: string; name: string },
  flags: RotationFlags,
  { out, err, exit }: RotationContext,
): Promise<void> {
  const answer = await askCoordinator(asked, flags).catch((error: unknown) => fail(messageOf(error)))
  if (!answer.ok) {
    for (const problem of answer.problems) err(`akv-injector rotation: ${problem}\n`)
    return exit(2)
  }
  out(flags.output === 'json' ? `${JSON.stringify(answer.value, null, 2)}\n` : rotationText(answer.value))
  const code = exitCodeOf(answer.value)
  if (code !== 0) exit(code)
}

async function askCoordinator(
  asked: { vault: string; name: string },
  flags: RotationFlags,
): Promise<Result<RotationAnswer>> {
  const config = await loadKubeConfig(flags)
  if (!config.ok) return config
  const api = await connect(flags)
  if (!api.ok) return api
  const reader = createReader(api.value)
  const target = await findCoordinator(reader, flags.systemNamespace)
  if (!target.ok) return target
  const answer = await runInside(createExec(config.value), target.value, asked)
  if (!answer.ok) return answer
  return ok(addPods(answer.value, asked, await reader.list<ListedPod>(podsPath(flags.namespace), listedPodFields)))
}

const podsPath = (namespace: string | undefined): string =>
  namespace === undefined ? '/api/v1/pods' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`

/** Returns the pod of the coordinator that is ready. */
async function findCoordinator(reader: Reader, namespace: string | undefined): Promise<Result<ExecTarget>> {
  const listed = await reader.list<ListedPod>(`${podsPath(namespace)}?${selector}`, listedPodFields)
  if (listed.kind !== 'found')
    return fail(`cannot look for the coordinator: ${'reason' in listed ? listed.reason : 'there is no namespace'}`)
  const ready = listed.value.filter(({ status }) =>
    status?.containerStatuses?.some((one) => one.name === container && one.ready === true),
  )
  const [pod] = ready
  if (pod === undefined) return fail('there is no coordinator that is ready: install it, or see its log')
  const { name, namespace: own = '' } = pod.metadata
  const namespaces = new Set(ready.map(({ metadata }) => metadata.namespace))
  if (namespaces.size > 1)
    return fail(`there are coordinators in ${[...namespaces].join(', ')}: choose one with --system-namespace`)
  return ok({ namespace: own, pod: name, container })
}

/** Runs the coordinator's own program, which answers about the pods that have a session. */
async function runInside(
  exec: Exec,
  target: ExecTarget,
  { vault, name }: { vault: string; name: string },
): Promise<Result<RotationAnswer>> {
  const place = `pod ${target.namespace}/${target.pod}`
  try {
    const { code, out, err } = await exec(target, [...program, vault, name])
    return [0, 1, 3].includes(code) ? ok(JSON.parse(out) as RotationAnswer) : fail(`${place}: ${err.trim()}`)
  } catch (error) {
    return fail(`cannot run a program in ${place}, for which you need get and create on pods/exec: ${messageOf(error)}`)
  }
}

/** Adds the pods that only the API server knows. */
function addPods(
  answer: RotationAnswer,
  asked: { vault: string; name: string },
  pods: Read<ListedPod[]>,
): RotationAnswer {
  if (pods.kind !== 'found') {
    const reason = 'reason' in pods ? pods.reason : 'there is no such namespace'
    return { ...answer, unknown: [...answer.unknown, `pods without a session cannot be found: ${reason}`] }
  }
  const uids = new Set(answer.objects.flatMap((object) => object.uids))
  const found = withoutSession(pods.value, uids, asked).filter(
    ({ namespace, pod }) =>
      !answer.objects.some(({ others }) => others.some((one) => one.pod === pod && one.namespace === namespace)),
  )
  return { ...answer, withoutSession: found }
}
