import { stringify } from 'yaml'
import { randomBytes } from 'node:crypto'
import { injectionLabel } from '../../../shared/names.ts'
import { run, type Finished, type Lifetime } from './process.ts'

/** The fields of Kubernetes objects that the scenarios read. */
export interface KubernetesObject {
  apiVersion?: string
  kind?: string
  metadata: {
    name?: string
    namespace?: string
    uid?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  [field: string]: unknown
}

export const tryKubectl = (args: string[], input = ''): Promise<Finished> => run('kubectl', args, { input })

/** Runs kubectl and returns its output; an exit code other than 0 is an error with its messages. */
export async function kubectl(args: string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await tryKubectl(args, input)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || `exit code ${code}`}`)
  return stdout
}

export const toYaml = (objects: object[]): string => objects.map((object) => stringify(object)).join('---\n')

export const apply = (...objects: object[]): Promise<string> =>
  kubectl(['apply', '-f', '-', '--validate=strict'], toYaml(objects))
export const tryApply = (objects: object[], ...flags: string[]): Promise<Finished> =>
  tryKubectl(['apply', '-f', '-', ...flags], toYaml(objects))

/** Reads objects as JSON: one by name, or a list by selector. */
export async function get<T = KubernetesObject>(namespace: string, ...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', '-n', namespace, '-o', 'json', ...args])) as T
}

export async function list<T = KubernetesObject>(namespace: string, kind: string, selector = ''): Promise<T[]> {
  const { items } = await get<{ items: T[] }>(namespace, kind, ...(selector === '' ? [] : ['-l', selector]))
  return items
}

export const logs = async (namespace: string, pod: string, container: string, ...flags: string[]): Promise<string> =>
  kubectl(['logs', '-n', namespace, pod, '-c', container, ...flags])

/** A namespace for the test, opted in unless stated otherwise; it is deleted when the test ends. */
export async function makeNamespace(t: Lifetime, labels: Record<string, string> = {}): Promise<string> {
  const name = `e2e-${randomBytes(4).toString('hex')}`
  await apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { [injectionLabel]: 'enabled', 'akv-injector-e2e': 'true', ...labels } },
  })
  t.teardown(() => kubectl(['delete', 'namespace', name, '--wait=false']))
  return name
}
