/** Why the program writes an Event on a class: a code, and a sentence for the documentation. Metrics use the same codes. */
export const syncReasons = {
  Synced: 'a Secret was created, updated or taken over',
  RoleMissing: 'the namespace has no Role that lets the program use the ServiceAccount or write a Secret of the class',
  SyncRefused: 'the class, its ServiceAccount or one of its Secrets cannot be used as it is',
  Conflict: 'a Secret of that name belongs to somebody else, or was changed meanwhile; it is left as it is',
  SyncFailed: 'the vault or the API server did not give or take what a Secret needs; the Secret keeps what it has',
} as const
export type SyncReason = keyof typeof syncReasons

/** Something to tell about a class. */
export interface SyncMessage {
  reason: SyncReason
  /** Without any value. */
  message: string
  /** Its remedy leaves no space for the link to the documentation. */
  isUnlinked?: true
  /** The Secret that it is about, if it is about one. */
  secret?: string
  /** When it happened, if that identifies it: the same write is told once, also by another process. In milliseconds since 1970. */
  at?: number
}
