import { annotations } from '../../../shared/annotations/table.ts'
import { isVaultName } from '../../../shared/clouds/clouds.ts'
import type { ObjectRequest } from '../../../shared/objects/spec.ts'
import type { Result } from '../../../shared/result.ts'
import { didYouMean, quote } from '../../../shared/messages.ts'
import { finish, type Steps } from '../../../shared/steps.ts'
import { classObjectSteps, type ClassMessages } from './class-objects.ts'

/** The parameters of a class of the Azure provider; those of the pod or the administrator replace missing ones. */
export interface SecretProviderClass {
  /** The vault's name. */
  vault: string
  cloudName?: string
  tenantId?: string
  clientId?: string
  /** Its objects are fetched with the node's identity; `clientId` then names a user-assigned one. */
  node: boolean
  /** It is for pods with an identity binding. */
  tokenProxy: boolean
  /** Invalid parameters, whose values are therefore unknown. */
  unreadable: ReadonlySet<'vault' | 'tenantId' | 'clientId' | 'mode'>
}

/** The result of reading a class. Every sentence begins with the class's name. */
export interface ClassReading extends ClassMessages {
  /** Absent for a class of another provider. */
  value?: SecretProviderClass
  /** Absent if not all of them could be read. */
  objects?: ObjectRequest[]
}

/** Parameters that the injector reads ({@link https://azure.github.io/secrets-store-csi-driver-provider-azure/docs/getting-started/usage/}). */
const known = [
  'keyvaultName',
  'tenantID',
  'tenantId',
  'clientID',
  'cloudName',
  'cloudEnvFileName',
  'useAzureTokenProxy',
  'objects',
  'usePodIdentity',
  'useVMManagedIdentity',
  'userAssignedIdentityID',
] as const
type Parameter = (typeof known)[number]

/** Parameters with a value, trimmed. */
type Texts = Partial<Record<Parameter, string>>

/** Limits of the parameters of a class, and of the sentences about it. */
const maxParameters = 100
const mostNamed = 200

/** Reads the `spec` of a SecretProviderClass as the Azure provider for the Secrets Store CSI driver does, version 1.8. */
export const readClass = (name: string, spec: unknown): ClassReading => finish(classSteps(name, spec))

/** {@link readClass} in steps. */
export function* classSteps(name: string, spec: unknown): Steps<ClassReading> {
  const messages: ClassMessages = { problems: [], warnings: [] }
  const read = yield* readSpec(isMap(spec) ? spec : {}, messages)
  const named = (texts: string[]): string[] =>
    texts.slice(0, mostNamed).map((text) => `SecretProviderClass ${quote(name)}: ${text}`)
  return { ...read, problems: named(messages.problems), warnings: named(messages.warnings) }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function* readSpec(
  spec: Record<string, unknown>,
  findings: ClassMessages,
): Steps<Pick<ClassReading, 'value' | 'objects'>> {
  const { problems, warnings } = findings
  const { provider, parameters, secretObjects, ...unknown } = spec
  if (provider !== 'azure') {
    problems.push(
      `spec.provider is ${typeof provider === 'string' ? quote(provider) : 'not set'}, and only "azure" keeps its secrets in Azure Key Vault`,
    )
    return {}
  }
  if (Array.isArray(secretObjects) && secretObjects.length > 0) {
    warnings.push('secretObjects is ignored for pods; akv-injector-sync writes Secrets for classes with sync-as')
  }
  warnings.push(
    ...Object.keys(unknown)
      .slice(0, maxParameters)
      .map((field) => `unknown field spec.${field} is ignored`),
  )
  const texts = readTexts(isMap(parameters) ? parameters : {}, findings)
  const modes = readModes(texts, findings)
  if (texts.cloudEnvFileName !== undefined) {
    warnings.push("cloudEnvFileName is ignored: the administrator's configuration describes clouds")
  }
  const whose = modes.node ? 'userAssignedIdentityID' : 'clientID'
  const clientId = checked(whose, texts[whose], annotations['client-id'].parse, findings)
  const tenantId = readTenant(texts, findings)
  const { keyvaultName = '', cloudName } = texts
  const isReadable = (said: string | undefined, read: string | undefined): boolean =>
    (said === undefined) === (read === undefined)
  if (keyvaultName === '') problems.push('keyvaultName is required')
  else if (!isVaultName(keyvaultName))
    problems.push(
      `keyvaultName ${quote(keyvaultName)}: expected the name of a vault, 3 to 24 letters, digits and dashes`,
    )
  const unreadable = Object.entries({
    vault: isVaultName(keyvaultName),
    tenantId: isReadable(texts.tenantID ?? texts.tenantId, tenantId),
    clientId: isReadable(texts[whose], clientId),
    mode: !(modes.node && modes.tokenProxy),
  }).flatMap(([name, readable]) => (readable ? [] : [name as 'vault' | 'tenantId' | 'clientId' | 'mode']))
  const value = {
    vault: keyvaultName,
    ...(cloudName === undefined ? {} : { cloudName }),
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(clientId === undefined ? {} : { clientId }),
    ...modes,
    unreadable: new Set(unreadable),
  }
  const before = problems.length
  const objects = yield* readObjects(texts, findings)
  return { value, ...(problems.length === before ? { objects } : {}) }
}

function* readObjects({ objects }: Texts, findings: ClassMessages): Steps<ObjectRequest[]> {
  if (objects !== undefined) return yield* classObjectSteps(objects, findings)
  findings.problems.push('objects is required')
  return []
}

function readTexts(parameters: Record<string, unknown>, { problems, warnings }: ClassMessages): Texts {
  const texts: Texts = {}
  const entries = Object.entries(parameters)
  if (entries.length > maxParameters) {
    problems.push(`it has ${entries.length} parameters, and at most ${maxParameters} are supported: remove some`)
  }
  for (const [key, value] of entries.slice(0, maxParameters)) {
    const parameter = known.find((name) => name === key)
    if (parameter === undefined) warnings.push(`unknown parameter ${quote(key)} is ignored${didYouMean(key, known)}`)
    else if (typeof value !== 'string') problems.push(`${key}: expected a text`)
    else if (value.trim() !== '') texts[parameter] = value.trim()
  }
  return texts
}

/** The newer of the two spellings takes precedence. */
function readTenant({ tenantID, tenantId }: Texts, messages: ClassMessages): string | undefined {
  const spelling = tenantID === undefined ? 'tenantId' : 'tenantID'
  return checked(spelling, tenantID ?? tenantId, annotations['tenant-id'].parse, messages)
}

/** Returns the ways to sign in that a class is written for. */
function readModes(texts: Texts, messages: ClassMessages): Pick<SecretProviderClass, 'node' | 'tokenProxy'> {
  const { problems, warnings } = messages
  if (isTrue('usePodIdentity', texts, messages)) {
    problems.push(
      'usePodIdentity: AAD Pod Identity is not supported: remove the parameter and set clientID to sign in with workload identity',
    )
  }
  const node = isTrue('useVMManagedIdentity', texts, messages)
  const tokenProxy = isTrue('useAzureTokenProxy', texts, messages)
  if (node && tokenProxy)
    problems.push(
      'useVMManagedIdentity and useAzureTokenProxy exclude each other, because the former signs in as the node and the latter as the pod: remove one of them',
    )
  if (node && texts.clientID !== undefined) {
    warnings.push('clientID is ignored with useVMManagedIdentity: userAssignedIdentityID names the identity')
  }
  if (!node && texts.userAssignedIdentityID !== undefined) {
    warnings.push('userAssignedIdentityID is ignored: pods sign in as clientID')
  }
  return { node, tokenProxy }
}

/** Reads a boolean like Go's `strconv.ParseBool`, which the provider uses. */
function isTrue(parameter: Parameter, texts: Texts, { problems }: ClassMessages): boolean {
  const text = texts[parameter]
  if (text === undefined || /^(0|f|F|false|FALSE|False)$/.test(text)) return false
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  problems.push(`${parameter} ${quote(text)}: expected "true" or "false"`)
  return false
}

function checked(
  parameter: Parameter,
  text: string | undefined,
  parse: (text: string) => Result<string>,
  { problems }: ClassMessages,
): string | undefined {
  if (text === undefined) return undefined
  const parsed = parse(text)
  if (parsed.ok) return parsed.value
  problems.push(`${parameter} ${quote(text)}: ${parsed.problems.join('; ')}`)
  return undefined
}
