import { BodyTooLarge, type Answer } from '../http-answer.ts'
import { answerFailure, describeConnection, endpointOf, placeOf, type Subject } from '../explain-failure.ts'
import { Disabled, InCreation, Incomplete } from './sdk-objects.ts'
import type { Operation } from './operation.ts'
import { pageSize, VaultFailure } from '../store.ts'
import { LinkRefused } from './wire-policy.ts'

export interface Circumstances {
  /** The vault's. */
  url: string
  now: number
  /** The operation's, in milliseconds. */
  timeoutMs: number
  /** The caller's. */
  abort: AbortSignal
}

/** Why an operation failed, judged by what came over the wire rather than by what the SDK made of it. */
export function failureOf(error: unknown, operation: Operation, subject: Subject, around: Circumstances): VaultFailure {
  const { answer, wireError } = operation
  const place = placeOf(subject)
  // The credential's failure, which does not say what the token was for.
  if (error instanceof VaultFailure) return error.restated(`${place}: ${error.message}`)
  if (operation.signal.aborted) return late(operation, place, around)
  if (error instanceof LinkRefused && error.code === 'TooManyPages' && subject.operation === 'versions') {
    return new VaultFailure(
      'selection',
      `${place}: there are more than ${operation.maxPages * pageSize}, ${tooManyVersions}`,
      { code: error.code },
    )
  }
  if (error instanceof LinkRefused) {
    return new VaultFailure(
      'malformed',
      `${place}: the vault's answer has a link that is not followed: ${error.message}`,
      { code: error.code },
    )
  }
  if (wireError !== undefined) return disconnected(wireError, place, around)
  if (!answer) return new VaultFailure('malformed', `${place}: ${error instanceof Error ? error.message : 'no answer'}`)
  if (answer.status === 401 && !operation.authorized) return unchallenged(answer, place)
  if (answer.status !== 200) return answerFailure(answer, subject, around.now)
  return unusable(error, place)
}

// Versions cannot be deleted one by one.
const tooManyVersions =
  'and history reads the list of all of them; leave history out, or continue with an object of another name'

function late({ endedOn }: Operation, place: string, { url, timeoutMs, abort }: Circumstances): VaultFailure {
  if (abort.aborted) return new VaultFailure('timeout', `${place}: this process is ending`, { code: 'ABORTED' })
  const time = `within ${timeoutMs / 1000} s`
  return endedOn === 'sign-in'
    ? new VaultFailure(
        'sign-in-unavailable',
        `${place}: the sign-in service gave no complete answer ${time}; it is asked again`,
      )
    : new VaultFailure('timeout', `${place}: ${endpointOf(url)} gave no complete answer ${time}: ${slowRemedy}`)
}

const slowRemedy =
  'is there a firewall, or a private endpoint whose DNS name does not resolve inside the cluster? It is asked again'

function disconnected(error: unknown, place: string, { url }: Circumstances): VaultFailure {
  if (error instanceof BodyTooLarge) {
    return new VaultFailure('malformed', `${place}: the answer is ${error.message}`, { outlook: 'permanent' })
  }
  const { code, text } = describeConnection(error, endpointOf(url))
  return new VaultFailure('network', `${place}: ${text}`, { code })
}

/** A 401 to which the SDK did not respond with a token. */
function unchallenged({ header }: Answer, place: string): VaultFailure {
  const resource = /(?:resource|scope)="([^"]{1,200})"/.exec(header('www-authenticate') ?? '')?.[1]
  const text =
    resource === undefined
      ? '401 without a challenge that says how to sign in: is there a proxy or firewall in between?'
      : `the vault asks for a token for ${JSON.stringify(resource)}, which is not its own domain; if this is right, set verifyChallengeResource: false for the cloud`
  return new VaultFailure('unauthorized', `${place}: ${text}`, { code: 'Challenge', status: 401 })
}

const pendingText =
  'the certificate is pending: merge the signed request (`az keyvault certificate pending merge`), or set optional for the object'

/** A 200 whose body cannot be used. The SDK's messages may quote the body, so they are never passed on. */
function unusable(error: unknown, place: string): VaultFailure {
  const status = 200
  if (error instanceof InCreation) return new VaultFailure('pending', `${place}: ${pendingText}`, { status })
  if (error instanceof Disabled)
    return new VaultFailure('disabled', `${place}: this version is disabled; enable it or add a new version`, {
      status,
    })
  if (error instanceof Incomplete)
    return new VaultFailure('malformed', `${place}: ${status}, but ${error.message}`, { status, outlook: 'permanent' })
  return new VaultFailure('malformed', `${place}: ${status}, but the answer is not from Key Vault`, { status })
}
