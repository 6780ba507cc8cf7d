/** Names of values that are secret by their meaning, once separators are gone. */
const secretName =
  /(?:password|passwd|passphrase|pwd|secret|token|apikey|accesskey|accountkey|privatekey|signingkey|encryptionkey|connectionstring|credentials?)$/i

/** Formats of Azure, which the library's rules do not know. */
const azure: [pattern: RegExp, reason: string][] = [
  // {@link https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string}
  [/\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}/, 'an access key in a connection string of Azure'],
  // {@link https://learn.microsoft.com/rest/api/storageservices/create-service-sas}
  [/[?&;]sig=[A-Za-z0-9%+/]{40,}/, 'a shared access signature of Azure'],
  [/(?:^|[^\w.~-])[\w.~-]{3}[78]Q~[\w.~-]{31,34}(?:$|[^\w.~-])/, 'a client secret of Microsoft Entra ID'],
]

const general: [pattern: RegExp, reason: string][] = [
  [/-----BEGIN (?:\w+ )*PRIVATE KEY-----/, 'a private key'],
  [/\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/, 'a signed token (JWT)'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:(?!\$|<|\{)[^\s/@]+@/i, 'a URL with a password'],
]

/** Not a secret, whatever its name: nothing, a reference, a placeholder, a path, a URL, a number, a switch. */
const harmless =
  /^(?:|\$[({].*|\{\{.*|<.*>|%.*%|~?\.{0,2}\/[^\s]*|[a-z][a-z0-9+.-]*:\/\/[^\s@]*|[\d.]+\w{0,2}|true|false|yes|no|on|off|null|none)$/i

/** The longest text that is looked at, in characters: a ConfigMap has at most 1 MiB. */
const maxLength = 1_048_576

/**
 * Returns why a text looks like a secret, by the rules of secretlint, formats of Azure, its name, or its randomness; an empty list if it
 * does not. No reason contains a part of the text.
 */
export async function reasonsOf(name: string, text: string): Promise<string[]> {
  if (text.length > maxLength) return ['a value that is too long to look at']
  const formats = [...azure, ...general].flatMap(([pattern, reason]) => (pattern.test(text) ? [reason] : []))
  if (formats.length > 0) return formats
  const known = await knownFormats(`${name}=${text}`)
  if (known.length > 0) return known
  const value = text.trim()
  if (harmless.test(value)) return []
  if (secretName.test(name.replace(/[._-]/g, ''))) return ['a value whose name says that it is secret']
  return value.split(/[\s,;"'=&?]+/).some(isRandom) ? ['a random-looking text'] : []
}

/** What the rules of secretlint recognize. They are loaded with the first text. */
async function knownFormats(content: string): Promise<string[]> {
  const [{ lintSource }, { creator }] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ])
  const { messages } = await lintSource({
    source: { content, filePath: 'value', ext: '', contentType: 'text' },
    options: { noPhysicFilePath: true, config: { rules: [{ id: 'preset', rule: creator }] } },
  })
  return [...new Set(messages.map(({ messageId }) => `a known format of credentials (${messageId})`))]
}

/** Whether a word is probably made by a random generator: long, of mixed characters, and with much entropy in each. */
function isRandom(word: string): boolean {
  if (word.length < 20 || !/^[\w+/-]+$/.test(word)) return false
  if (!/\d/.test(word) || !/[a-z]/.test(word) || !/[A-Z]/.test(word)) return false
  const counts = new Map<string, number>()
  for (const character of word) counts.set(character, (counts.get(character) ?? 0) + 1)
  const bits = [...counts.values()].reduce(
    (sum, count) => sum - (count / word.length) * Math.log2(count / word.length),
    0,
  )
  return bits >= 4
}
