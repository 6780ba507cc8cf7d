/** Whether `text` matches `pattern`, where `*` stands for any run of characters; without case; no pattern matches everything. */
export function matches(pattern: string | undefined, text: string | undefined): boolean {
  if (pattern === undefined || pattern === '*') return true
  if (text === undefined) return false
  const source = pattern.split('*').map(RegExp.escape).join('.*')
  return new RegExp(`^${source}$`, 'is').test(text)
}
