/** The outcome of an operation: its value, or every reason (a sentence without a period) why there is none. */
export type Result<T> = { ok: true; value: T } | { ok: false; problems: string[] }

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const fail = (...problems: string[]): { ok: false; problems: string[] } => ({ ok: false, problems })
