import { BodyTooLarge, type Answer } from './answer.ts'
import { answerFailure, describeConnection, placeOf, type Subject } from './failures.ts'
import { Disabled, InCreation, Incomplete } from './objects.ts'
import type { Operation } from './operation.ts'
import { VaultFailure } from './vault.ts'
import { LinkRefused } from './wire-policy.ts'

export interface Circumstances {
  now: number
  /** The operation's, in milliseconds. */
  timeout: number
  /** The caller's. */
  signal: AbortSignal
}

/** Why an operation failed: from what came over the wire rather than from what the SDK made of it. */
export function failureOf(error: unknown, operation: Operation, subject: Subject, around: Circumstances): VaultFailure {
  const { answer, wireError } = operation
  const place = placeOf(subject)
  // Of the credential, which does not know what it was needed for.
  if (error instanceof VaultFailure) return error.restated(`${place}: ${error.message}`)
  if (operation.signal.aborted) return late(operation, place, around)
  if (error instanceof LinkRefused) {
    return new VaultFailure('malformed', `${place}: a link is not followed: ${error.message}`, { code: error.code })
  }
  if (wireError !== undefined) return disconnected(wireError, place)
  if (!answer) return new VaultFailure('malformed', `${place}: ${error instanceof Error ? error.message : 'no answer'}`)
  if (answer.status === 401 && !operation.authorized) return unchallenged(answer, place)
  if (answer.status !== 200) return answerFailure(answer, subject, around.now)
  return unusable(error, place)
}

function late({ endedOn }: Operation, place: string, { timeout, signal }: Circumstances): VaultFailure {
  if (signal.aborted) return new VaultFailure('timeout', `${place}: given up`, { code: 'ABORTED' })
  const time = `within ${timeout / 1000} s`
  return endedOn === 'sign-in'
    ? new VaultFailure('sign-in-unavailable', `${place}: the sign-in service gave no complete answer ${time}`)
    : new VaultFailure('timeout', `${place}: the vault gave no complete answer ${time}`)
}

function disconnected(error: unknown, place: string): VaultFailure {
  if (error instanceof BodyTooLarge) {
    return new VaultFailure('malformed', `${place}: the answer is ${error.message}`, { outlook: 'permanent' })
  }
  const { code, text } = describeConnection(error)
  return new VaultFailure('network', `${place}: ${text}`, { code })
}

/** A 401 that the SDK did not answer with a token. */
function unchallenged({ header }: Answer, place: string): VaultFailure {
  const resource = /(?:resource|scope)="([^"]{1,200})"/.exec(header('www-authenticate') ?? '')?.[1]
  const text =
    resource === undefined
      ? '401 without a challenge that says how to sign in; is there a proxy or firewall in between?'
      : `its challenge is for ${JSON.stringify(resource)}, which is not its own domain; if this server is trusted to, set verifyChallengeResource: false of the cloud`
  return new VaultFailure('unauthorized', `${place}: ${text}`, { code: 'Challenge', status: 401 })
}

/** A 200 that is of no use. What the SDK says about a body may quote it, so that is never told. */
function unusable(error: unknown, place: string): VaultFailure {
  const status = 200
  if (error instanceof InCreation) return new VaultFailure('pending', `${place}: the certificate is still in creation`, { status }) // prettier-ignore
  if (error instanceof Disabled) return new VaultFailure('disabled', `${place}: this version is disabled; enable it or add a new one`, { status }) // prettier-ignore
  if (error instanceof Incomplete)
    return new VaultFailure('malformed', `${place}: ${status}, but ${error.message}`, { status, outlook: 'permanent' })
  return new VaultFailure('malformed', `${place}: ${status}, but the answer is not one of Key Vault`, { status })
}
