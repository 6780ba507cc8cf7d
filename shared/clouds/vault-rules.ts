import { isVaultName, type Cloud } from './clouds.ts'

/** Which namespaces may use which vaults; both are patterns. */
export interface VaultRule {
  namespaces: readonly string[]
  /** Names of vaults, or `https://` URLs. */
  vaults: readonly string[]
}

/**
 * Returns whether a rule allows a namespace to use a vault.
 * @param url the vault's, in lower case and without a slash at its end
 * @param name the vault's name, if it is a vault of a cloud
 */
export const isVaultAllowed = (
  rules: readonly VaultRule[],
  namespace: string,
  { url, name }: { url: string; name: string | undefined },
): boolean =>
  rules.some(
    (rule) =>
      rule.namespaces.some((pattern) => matches(pattern, namespace)) &&
      rule.vaults.some((pattern) =>
        pattern.startsWith('https://')
          ? matches(pattern.toLowerCase().replace(/\/$/, ''), url)
          : name !== undefined && matches(pattern.toLowerCase(), name),
      ),
  )

/** Returns the name of a vault of this cloud from its URL. */
export function vaultNameIn(url: string, { vaultSuffix }: Pick<Cloud, 'vaultSuffix'>): string | undefined {
  const name = url.slice('https://'.length).slice(0, -`.${vaultSuffix}`.length)
  return url === `https://${name}.${vaultSuffix}` && isVaultName(name) ? name : undefined
}

/** The administrator's patterns, compiled once: a pod may name thousands of vaults, each compared to every rule in every cloud. */
const compiled = new Map<string, RegExp>()

/** `*` matches any characters except a dot, so that a host pattern cannot match another domain. */
function matches(pattern: string, text: string): boolean {
  let expression = compiled.get(pattern)
  if (expression === undefined) {
    const escaped = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    expression = new RegExp(`^${escaped.join('[^.]*')}$`)
    compiled.set(pattern, expression)
  }
  return expression.test(text)
}
