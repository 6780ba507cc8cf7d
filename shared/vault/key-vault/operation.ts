import { AsyncLocalStorage } from 'node:async_hooks'
import type { PipelineResponse } from '@azure/core-rest-pipeline'
import type { Answer } from '../http-answer.ts'
import { defaultMaxPages } from '../store.ts'

/** One call of a vault while it lasts: the SDK passes neither its signal nor anything else on to a list's later pages. */
export interface Operation {
  /** Ends with the caller's signal, or when the time is up. */
  readonly signal: AbortSignal
  /** Of a list: the path that every page begins with. */
  readonly collection: string | undefined
  /** Of a list: how many pages are read. */
  readonly maxPages: number
  /** On the wire, challenges included. */
  requests: number
  /** URLs of a list's pages that were answered. */
  readonly pages: Set<string>
  /** Whether a request is out: before its answer's last byte. */
  onWire: boolean
  /** When the time was up: whether the vault was waited for, or the sign-in service. */
  endedOn?: 'vault' | 'sign-in'
  /** Whether the last request bore a token. */
  authorized: boolean
  /** Whether the last request went out on a connection that had been used before. */
  reused: boolean
  /** The last answer. */
  answer?: Answer
  /** Why the last request got none. */
  wireError?: unknown
  /** The last answer to a request whose token is of no use any more. */
  refusal?: { token: string; response: PipelineResponse }
}

const current = new AsyncLocalStorage<Operation>()

/** The operation in whose course this is called. */
export const currentOperation = (): Operation | undefined => current.getStore()

export interface OperationOptions {
  abort: AbortSignal
  /** For all of it, in milliseconds. */
  timeoutMs: number
  collection?: string | undefined
  /** Default: {@link defaultMaxPages}. */
  maxPages?: number | undefined
}

/** Runs `work` under one deadline; rejects as soon as that has passed or the caller's signal says so, whatever `work` does. */
export async function runOperation<T>(
  { abort, timeoutMs, collection, maxPages = defaultMaxPages }: OperationOptions,
  work: () => Promise<T>,
): Promise<{ result: T; operation: Operation } | { error: unknown; operation: Operation }> {
  const ending = new AbortController()
  const operation: Operation = {
    signal: ending.signal,
    collection,
    maxPages,
    requests: 0,
    pages: new Set(),
    onWire: false,
    authorized: false,
    reused: false,
  }
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = () => {
    operation.endedOn = operation.onWire ? 'vault' : 'sign-in'
    ending.abort()
    reject(new Error('ended'))
  }
  // Not AbortSignal.any: a listener that is taken off again leaves nothing behind on a signal that lives for months.
  const timer = setTimeout(end, timeoutMs)
  abort.addEventListener('abort', end)
  try {
    if (abort.aborted) end()
    return { result: await Promise.race([ended, current.run(operation, work)]), operation }
  } catch (error) {
    return { error, operation }
  } finally {
    clearTimeout(timer)
    abort.removeEventListener('abort', end)
  }
}
