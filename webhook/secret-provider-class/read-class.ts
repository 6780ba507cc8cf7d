import { annotations } from '../../shared/annotations.ts'
import { isVaultName } from '../../shared/clouds.ts'
import type { ObjectRequest } from '../../shared/object-spec.ts'
import type { Parsed } from '../../shared/parsed.ts'
import { didYouMean, quote } from '../../shared/suggest.ts'
import { readClassObjects, type Findings } from './class-objects.ts'

/** What a class of the Azure provider asks for; what it leaves out is the pod's or the administrator's. */
export interface SecretProviderClass {
  /** The vault's name. */
  vault: string
  cloudName?: string
  tenantId?: string
  clientId?: string
  /** It asks as the node; `clientId` is then that of a user-assigned identity of the node. */
  node: boolean
  /** It is meant for pods with an identity binding. */
  tokenProxy: boolean
  /** Parameters with a problem of their own: what they would say is not known. */
  unreadable: ReadonlySet<'vault' | 'tenantId' | 'clientId' | 'mode'>
}

/** What is read of a class. Every sentence begins with the class's name. */
export interface ClassReading extends Findings {
  /** Absent for a class of another provider. */
  value?: SecretProviderClass
  /** Absent where not all of them could be read. */
  objects?: ObjectRequest[]
}

/** Parameters that mean something here ({@link https://azure.github.io/secrets-store-csi-driver-provider-azure/docs/getting-started/usage/}). */
const known = [
  'keyvaultName', 'tenantID', 'tenantId', 'clientID', 'cloudName', 'cloudEnvFileName', 'useAzureTokenProxy', 'objects',
  'usePodIdentity', 'useVMManagedIdentity', 'userAssignedIdentityID',
] as const // prettier-ignore
type Parameter = (typeof known)[number]

/** Parameters with a text in them, trimmed. */
type Texts = Partial<Record<Parameter, string>>

/** Parameters of a class, and sentences about it that are kept. */
const maxParameters = 100
const mostNamed = 200

/** Reads the `spec` of a SecretProviderClass as the Azure provider for the Secrets Store CSI driver does, version 1.8. */
export function readClass(name: string, spec: unknown): ClassReading {
  const findings: Findings = { problems: [], warnings: [] }
  const read = readSpec(isMap(spec) ? spec : {}, findings)
  const named = (texts: string[]): string[] =>
    texts.slice(0, mostNamed).map((text) => `SecretProviderClass ${quote(name)}: ${text}`)
  return { ...read, problems: named(findings.problems), warnings: named(findings.warnings) }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function readSpec(spec: Record<string, unknown>, findings: Findings): Pick<ClassReading, 'value' | 'objects'> {
  const { problems, warnings } = findings
  const { provider, parameters, secretObjects, ...unknown } = spec
  if (provider !== 'azure') {
    problems.push(`spec.provider is ${typeof provider === 'string' ? quote(provider) : 'not set'}, and only "azure" keeps its secrets in Azure Key Vault`) // prettier-ignore
    return {}
  }
  if (Array.isArray(secretObjects) && secretObjects.length > 0) {
    warnings.push('secretObjects is ignored: no Kubernetes Secret is made')
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
  const isReadable = (said: string | undefined, read: string | undefined): boolean => (said === undefined) === (read === undefined) // prettier-ignore
  if (keyvaultName === '') problems.push('keyvaultName is required')
  else if (!isVaultName(keyvaultName)) problems.push(`keyvaultName ${quote(keyvaultName)}: expected the name of a vault, 3 to 24 letters, digits and dashes`) // prettier-ignore
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
  const objects = readObjects(texts, findings)
  return { value, ...(problems.length === before ? { objects } : {}) }
}

function readObjects({ objects }: Texts, findings: Findings): ObjectRequest[] {
  if (objects !== undefined) return readClassObjects(objects, findings)
  findings.problems.push('objects is required')
  return []
}

function readTexts(parameters: Record<string, unknown>, { problems, warnings }: Findings): Texts {
  const texts: Texts = {}
  const entries = Object.entries(parameters)
  if (entries.length > maxParameters) {
    problems.push(`it has ${entries.length} parameters, and at most ${maxParameters} are read`)
  }
  for (const [key, value] of entries.slice(0, maxParameters)) {
    const parameter = known.find((name) => name === key)
    if (parameter === undefined) warnings.push(`unknown parameter ${quote(key)} is ignored${didYouMean(key, known)}`)
    else if (typeof value !== 'string') problems.push(`${key}: expected a text`)
    else if (value.trim() !== '') texts[parameter] = value.trim()
  }
  return texts
}

/** Of the two spellings the newer one holds. */
function readTenant({ tenantID, tenantId }: Texts, findings: Findings): string | undefined {
  const spelling = tenantID === undefined ? 'tenantId' : 'tenantID'
  return checked(spelling, tenantID ?? tenantId, annotations['tenant-id'].parse, findings)
}

/** Which way to sign in a class was written for. */
function readModes(texts: Texts, findings: Findings): Pick<SecretProviderClass, 'node' | 'tokenProxy'> {
  const { problems, warnings } = findings
  if (isTrue('usePodIdentity', texts, findings)) {
    problems.push('usePodIdentity: AAD Pod Identity is not supported; pods sign in by workload identity here: take the parameter out and set clientID') // prettier-ignore
  }
  const node = isTrue('useVMManagedIdentity', texts, findings)
  const tokenProxy = isTrue('useAzureTokenProxy', texts, findings)
  if (node && tokenProxy) problems.push("useVMManagedIdentity and useAzureTokenProxy exclude each other: the former asks as the node, the latter as the pod") // prettier-ignore
  if (node && texts.clientID !== undefined) {
    warnings.push('clientID is ignored with useVMManagedIdentity: userAssignedIdentityID names the identity')
  }
  if (!node && texts.userAssignedIdentityID !== undefined) {
    warnings.push('userAssignedIdentityID is ignored: pods sign in as clientID')
  }
  return { node, tokenProxy }
}

/** As Go's `strconv.ParseBool`, which the provider reads them by. */
function isTrue(parameter: Parameter, texts: Texts, { problems }: Findings): boolean {
  const text = texts[parameter]
  if (text === undefined || /^(0|f|F|false|FALSE|False)$/.test(text)) return false
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  problems.push(`${parameter} ${quote(text)}: expected "true" or "false"`)
  return false
}

function checked(
  parameter: Parameter,
  text: string | undefined,
  parse: (text: string) => Parsed<string>,
  { problems }: Findings,
): string | undefined {
  if (text === undefined) return undefined
  const parsed = parse(text)
  if (parsed.ok) return parsed.value
  problems.push(`${parameter} ${quote(text)}: ${parsed.problems.join('; ')}`)
  return undefined
}
