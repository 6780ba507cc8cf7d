import { vaultUrl, isVaultName, type Cloud } from '../shared/clouds.ts'
import { objectName, type ObjectRequest, type ObjectSpec } from '../shared/object-spec.ts'
import { quote } from '../shared/suggest.ts'
import type { Configuration } from './configuration.ts'
import { unknownCloud, unknownUrl, type Party } from './identity.ts'
import type { DenyReason, Notes } from './reasons.ts'
import type { Values } from './values.ts'

/** An object with the URL of its vault, who asks for it, and where it was written, for messages. */
export interface AskedObject {
  object: Omit<ObjectSpec, 'identity'>
  party: Party
  source?: string
}

/**
 * The objects of the annotation `objects`, which are asked for as the pod. They are there whatever is wrong with their vaults: their
 * files may clash with others, and templates may name them.
 */
export function resolveObjects(
  values: Values,
  namespace: string,
  party: Party,
  configuration: Configuration,
  notes: Notes,
): AskedObject[] {
  const { objects } = values.objects ?? { objects: [] as ObjectRequest[] }
  const homeless = objects.filter((object) => object.vault === undefined && values.vault === undefined)
  if (homeless.length > 0) {
    const names = homeless.slice(0, 3).map(objectName).join(', ')
    notes.problem('no-vault', `no vault for ${names}${homeless.length > 3 ? ` and ${homeless.length - 3} more` : ''}: set the annotation azure.keyvault.injector/vault`) // prettier-ignore
  }
  const urls = new Map<string, string>()
  const named = values.objects === undefined ? [values.vault] : objects.map((object) => object.vault ?? values.vault)
  for (const vault of new Set(named)) {
    if (vault === undefined) continue
    const url = resolveVault(vault, party.cloud, namespace, configuration)
    if (url.ok) urls.set(vault, url.value)
    else notes.problem(url.reason, ...url.problems)
  }
  return objects.map((object) => {
    const vault = urls.get(object.vault ?? values.vault ?? '') ?? unknownUrl
    return { object: { ...object, vault }, party }
  })
}

/** The URL of a vault that the namespace may use. */
export function resolveVault(
  vault: string,
  cloud: Cloud,
  namespace: string,
  configuration: Configuration,
): { ok: true; value: string } | { ok: false; reason: DenyReason; problems: string[] } {
  const url = vaultUrl(vault, cloud)
  if (!url.ok) return { ok: false, reason: 'bad-annotation', problems: url.problems.map((problem) => `vault ${quote(vault)}: ${problem}`) } // prettier-ignore
  // What no cloud would let the pod have is wrong whichever is meant.
  const meant = cloud === unknownCloud ? Object.values(configuration.clouds) : [cloud]
  if (meant.some((one) => isAllowed(vault, one, namespace, configuration))) return url
  return { ok: false, reason: 'vault-not-allowed', problems: [`vault ${quote(vault)}: ${refusal(namespace, configuration)}`] } // prettier-ignore
}

const refusal = (namespace: string, { vaults }: Configuration): string =>
  vaults === undefined
    ? "a vault outside of the pod's cloud needs a rule in the administrator's configuration"
    : `the administrator's rules do not allow it in namespace ${quote(namespace)}`

/** Without rules every vault of the pod's cloud may be used; with rules one of them must allow it. */
function isAllowed(vault: string, cloud: Cloud, namespace: string, { vaults }: Configuration): boolean {
  const read = vaultUrl(vault, cloud)
  if (!read.ok) return false
  const url = read.value
  const name = isVaultName(vault) ? vault.toLowerCase() : nameIn(url, cloud)
  if (vaults === undefined) return name !== undefined
  return vaults.some(
    (rule) =>
      rule.namespaces.some((pattern) => matches(pattern, namespace)) &&
      rule.vaults.some((pattern) =>
        pattern.startsWith('https://')
          ? matches(pattern.toLowerCase().replace(/\/$/, ''), url)
          : name !== undefined && matches(pattern.toLowerCase(), name),
      ),
  )
}

/** The name of the vault of this cloud that a URL belongs to. */
function nameIn(url: string, { vaultSuffix }: Cloud): string | undefined {
  const name = url.slice('https://'.length).slice(0, -`.${vaultSuffix}`.length)
  return url === `https://${name}.${vaultSuffix}` && isVaultName(name) ? name : undefined
}

/** Of the administrator's rules, few enough to keep. A pod may name thousands of vaults, each held against every rule in every cloud. */
const compiled = new Map<string, RegExp>()

/** `*` stands for any characters but a dot, so that no pattern of a host reaches into another domain. */
function matches(pattern: string, text: string): boolean {
  let expression = compiled.get(pattern)
  if (expression === undefined) {
    const escaped = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    expression = new RegExp(`^${escaped.join('[^.]*')}$`)
    compiled.set(pattern, expression)
  }
  return expression.test(text)
}
