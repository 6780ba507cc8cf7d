/** What a type of Secrets requires of the keys. */
export interface SecretType {
  /** Every one of these must be there. */
  all: readonly string[]
  /** At least one of these must be there, if there are any. */
  some: readonly string[]
  /** Whether there may be no other key, because the CSI driver refuses it. */
  isClosed: boolean
}

const type = (all: readonly string[], some: readonly string[] = [], isClosed = false): SecretType => ({
  all,
  some,
  isClosed,
})

/**
 * The types of Secrets that are written; the admission policy has the same list. Others give rights, such as tokens of
 * ServiceAccounts and bootstrap tokens. {@link https://kubernetes.io/docs/concepts/configuration/secret/#secret-types}
 */
export const secretTypes = {
  Opaque: type([]),
  'kubernetes.io/tls': type(['tls.crt', 'tls.key'], [], true),
  'kubernetes.io/dockerconfigjson': type(['.dockerconfigjson']),
  'kubernetes.io/dockercfg': type(['.dockercfg']),
  'kubernetes.io/basic-auth': type([], ['username', 'password']),
  'kubernetes.io/ssh-auth': type(['ssh-privatekey']),
} as const satisfies Record<string, SecretType>
export type SecretTypeName = keyof typeof secretTypes

export const isSecretType = (name: string): name is SecretTypeName => Object.hasOwn(secretTypes, name)

/** Returns what the keys of a Secret of a type lack, or have too much; undefined if nothing. */
export function keyProblem(name: SecretTypeName, keys: readonly string[]): string | undefined {
  const { all, some, isClosed }: SecretType = secretTypes[name]
  const missing = all.filter((key) => !keys.includes(key))
  if (missing.length > 0) return `type ${name} needs the key ${missing.join(' and the key ')} in data`
  if (some.length > 0 && !some.some((key) => keys.includes(key))) return `type ${name} needs one of ${some.join(', ')}`
  const other = isClosed ? keys.find((key) => !all.includes(key)) : undefined
  return other === undefined ? undefined : `type ${name} has only the keys ${all.join(' and ')}, not ${other}`
}
