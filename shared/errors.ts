/** The message of an error with those of its causes, on one line: `fetch` itself says no more than "fetch failed". */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`
}
