import { vaultUrl, isVaultName, type Cloud } from '../../shared/clouds/clouds.ts'
import { isVaultAllowed, vaultNameIn } from '../../shared/clouds/vault-rules.ts'
import { findName, type FindRequest } from '../../shared/objects/find.ts'
import { objectName, type ObjectRequest } from '../../shared/objects/spec.ts'
import { listed, quote } from '../../shared/messages.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { unknownCloud, unknownUrl, type ObjectIdentity } from './identity.ts'
import type { DenyReason } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import type { RequestedFind, RequestedObject } from './objects.ts'

/**
 * Returns the objects and finds of the annotation `objects`, which the pod's own identity fetches. Objects with an invalid vault are returned too,
 * because their files may clash with others and templates may refer to them.
 */
export function resolveObjects(
  { values, namespace, configuration, diagnostics }: PlanContext,
  identity: ObjectIdentity,
): { objects: RequestedObject[]; finds: RequestedFind[] } {
  const objects: ObjectRequest[] = values.objects?.objects ?? []
  const finds: FindRequest[] = values.objects?.finds ?? []
  const requests = [...objects, ...finds]
  const homeless = requests.filter(({ vault }) => vault === undefined && values.vault === undefined)
  if (homeless.length > 0) {
    const nameOf = (one: ObjectRequest | FindRequest) => ('tags' in one ? findName(one) : objectName(one))
    const names = homeless.slice(0, 3).map(nameOf).join(', ')
    diagnostics.problem(
      'no-vault',
      `no vault for ${names}${homeless.length > 3 ? ` and ${homeless.length - 3} more` : ''}: set the annotation azure.keyvault.injector/vault`,
    )
  }
  const urls = new Map<string, string>()
  const named = values.objects === undefined ? [values.vault] : requests.map(({ vault }) => vault ?? values.vault)
  for (const vault of new Set(named)) {
    if (vault === undefined) continue
    const url = resolveVault(vault, identity, namespace.name, configuration)
    if (url.ok) urls.set(vault, url.value)
    else diagnostics.problem(url.reason, ...url.problems)
  }
  const urlOf = ({ vault }: { vault?: string }) => urls.get(vault ?? values.vault ?? '') ?? unknownUrl
  return {
    objects: objects.map((object) => ({ object: { ...object, vault: urlOf(object) }, identity })),
    finds: finds.map((find) => ({ find: { ...find, vault: urlOf(find) }, identity })),
  }
}

/** Returns the URL of a vault, or why the namespace may not use it. */
export function resolveVault(
  vault: string,
  { cloudName, cloud }: Pick<ObjectIdentity, 'cloudName' | 'cloud'>,
  namespace: string,
  configuration: Configuration,
): { ok: true; value: string } | { ok: false; reason: DenyReason; problems: string[] } {
  const url = vaultUrl(vault, cloud)
  if (!url.ok)
    return {
      ok: false,
      reason: 'bad-annotation',
      problems: url.problems.map((problem) => `vault ${quote(vault)}: ${problem}`),
    }
  // If the pod's cloud is unknown, the vault is a problem only if no cloud allows it.
  const possible = cloud === unknownCloud ? Object.values(configuration.clouds) : [cloud]
  if (possible.some((one) => isAllowed(vault, one, namespace, configuration))) return url
  return {
    ok: false,
    reason: 'vault-not-allowed',
    problems: [`vault ${quote(vault)} ${refusal(namespace, { cloudName, cloud }, configuration)}`],
  }
}

function refusal(
  namespace: string,
  { cloudName, cloud }: Pick<ObjectIdentity, 'cloudName' | 'cloud'>,
  { vaults }: Configuration,
): string {
  if (vaults === undefined) {
    const place = cloud === unknownCloud ? 'any known cloud' : `${cloudName} (<name>.${cloud.vaultSuffix})`
    return `is not a vault of ${place}: set the annotation cloud, or have the administrator allow this URL under vaults in the injector's configuration`
  }
  const allowed = spelledOut(namespace, vaults)
  const known = allowed.length > 0 ? ` (${listed(allowed)})` : ''
  return `is not among those that namespace ${quote(namespace)} may use${known}: ask the administrator for a rule under vaults in the injector's configuration (ConfigMap akv-injector-configuration)`
}

/** The vaults that rules name for exactly this namespace. Patterns would reveal the names of others. */
const spelledOut = (namespace: string, rules: NonNullable<Configuration['vaults']>): string[] => [
  ...new Set(
    rules
      .filter(({ namespaces }) => namespaces.includes(namespace))
      .flatMap(({ vaults }) => vaults.filter((pattern) => !pattern.includes('*'))),
  ),
]

/** Without rules, every vault of the pod's cloud is allowed; with rules, one of them must allow the vault. */
function isAllowed(vault: string, cloud: Cloud, namespace: string, { vaults }: Configuration): boolean {
  const read = vaultUrl(vault, cloud)
  if (!read.ok) return false
  const url = read.value
  const name = isVaultName(vault) ? vault.toLowerCase() : vaultNameIn(url, cloud)
  if (vaults === undefined) return name !== undefined
  return isVaultAllowed(vaults, namespace, { url, name })
}
