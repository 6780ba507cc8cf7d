import { parseAllDocuments } from 'yaml'
import { syncRole } from '../../../cli/sync-role.ts'
import { clientId, makeServiceAccount } from './apps.ts'
import { eventually } from './eventually.ts'
import { makeFixture, type Fixture } from './fixture.ts'
import { apply, get, list, toYaml, tryKubectl, type KubernetesObject } from './kubectl.ts'
import type { Finished, Lifetime } from './process.ts'
import { installDefinition, secretProviderClass } from './secret-provider-class.ts'

/** The program's ServiceAccount, as a user and for kubectl. */
export const programUser = 'system:serviceaccount:akv-injector-system:akv-injector-sync'
export const asProgram = `--as=${programUser}`

export interface SyncedSecret extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & {
    resourceVersion?: string
    ownerReferences?: { kind: string; uid: string }[]
  }
  type: string
  data: Record<string, string>
}

/** A class that requests Secrets. */
export interface ClassRequest {
  objects: string[][]
  secretObjects: object[]
  annotations?: Record<string, string>
  name?: string
}

const prefix = 'azure.keyvault.injector/'
export const secretLines = (name: string, ...more: string[]): string[] => [
  `objectName: ${name}`,
  'objectType: secret',
  ...more,
]
export const opaque = (secretName: string, data: Record<string, string>): object => ({
  ...{ secretName, type: 'Opaque' },
  data: Object.entries(data).map(([key, objectName]) => ({ key, objectName })),
})
export const tls = (secretName: string, objectName: string): object => ({
  ...{ secretName, type: 'kubernetes.io/tls' },
  data: ['tls.key', 'tls.crt'].map((key) => ({ key, objectName })),
})

/** A namespace with a ServiceAccount that may sign in, and a vault with these secrets. */
export async function makeSyncFixture(t: Lifetime, secrets: Record<string, string>): Promise<Fixture> {
  const fixture = await makeFixture(t, secrets)
  await makeServiceAccount(fixture.namespace, 'web-sync', clientId)
  return fixture
}

/** Applies a class that is polled every two seconds, and defines its kind if another scenario has just removed it. */
export async function applyClass(
  t: Lifetime,
  { namespace, vault }: Fixture,
  request: ClassRequest,
): Promise<KubernetesObject> {
  const { name = 'web', objects, secretObjects, annotations = {} } = request
  const plain = secretProviderClass(namespace, name, { keyvaultName: vault }, objects)
  const own = { [`${prefix}sync-as`]: 'web-sync', [`${prefix}poll-interval`]: '2s', ...annotations }
  const one = { ...plain, metadata: { ...plain.metadata, annotations: own }, spec: { ...plain.spec, secretObjects } }
  await eventually('the class is applied', async () => {
    await installDefinition(t)
    await apply(one)
    return true
  })
  return one
}

/** Applies what `akv-injector sync role` prints for a class. */
export async function applyRole(
  one: KubernetesObject,
  { programNamespace = 'akv-injector-system', allowDelete = false } = {},
): Promise<void> {
  const { name = '', namespace = '' } = one.metadata
  const role = syncRole(toYaml([one]), { name, namespace, programNamespace, allowDelete })
  if (!role.ok) throw new Error(role.problems.join('; '))
  await apply(...parseAllDocuments(role.value.text).map((document) => document.toJS() as object))
}

/** Returns a Secret, or undefined if there is none. */
export async function readSecret(namespace: string, name: string): Promise<SyncedSecret | undefined> {
  const { code, stdout } = await tryKubectl(['get', 'secret', '-n', namespace, name, '-o', 'json'])
  return code === 0 ? (JSON.parse(stdout) as SyncedSecret) : undefined
}

/** The values of a Secret as texts. */
export const valuesOf = (secret: Pick<SyncedSecret, 'data'> | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(secret?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  )

/** Waits until a Secret has exactly these values. */
export const secretHas = (namespace: string, name: string, values: Record<string, string>): Promise<SyncedSecret> =>
  eventually(`Secret ${name} has its values`, async () => {
    const secret = await readSecret(namespace, name)
    const has = valuesOf(secret)
    const isSame =
      Object.keys(has).length === Object.keys(values).length &&
      Object.entries(values).every(([key, text]) => has[key] === text)
    return isSame && secret
  })

interface Event extends KubernetesObject {
  reason: string
  message: string
  type: string
  involvedObject: { kind: string; name: string }
}

/** Waits for an Event on a class, and returns its message. */
export const eventOn = (namespace: string, reason: string, text: RegExp, name = 'web'): Promise<string> =>
  eventually(`an Event ${reason} on the class has ${text}`, async () => {
    const events = await list<Event>(namespace, 'events')
    const isMeant = (one: Event): boolean =>
      one.involvedObject.kind === 'SecretProviderClass' && one.involvedObject.name === name
    return events.find((one) => isMeant(one) && one.reason === reason && text.test(one.message))?.message
  })

/** The program's pod, if it is there. */
export const programPods = async (): Promise<KubernetesObject[]> =>
  (
    await get<{ items: KubernetesObject[] }>(
      'akv-injector-system',
      'pods',
      '-l',
      'app.kubernetes.io/name=akv-injector-sync',
    )
  ).items

/** Sends a server-side apply as the program. */
export const serverSideApply = (body: object): Promise<Finished> =>
  tryKubectl(['apply', '--server-side', '--field-manager=akv-injector-sync', '-f', '-', asProgram], toYaml([body]))
