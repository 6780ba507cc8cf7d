import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail, ok, type Result } from '../../shared/result.ts'

const versions = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'] as const
/** The API server sends nothing longer, and these fields are logged. */
const Short = Type.Optional(Type.String({ maxLength: 253 }))
const GroupKind = Type.Object({ group: Short, version: Short, kind: Short })

/** The fields of an AdmissionReview's request that the webhook reads. {@link https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request} */
const Request = Type.Object({
  uid: Type.String({ minLength: 1, maxLength: 253 }),
  kind: Type.Optional(GroupKind),
  subResource: Short,
  name: Type.Optional(Type.String()),
  namespace: Short,
  operation: Short,
  // An API server always sends the user. Requiring it catches mistakes, not attackers.
  userInfo: Type.Object({ username: Type.String({ minLength: 1 }) }),
  dryRun: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  object: Type.Optional(Type.Unknown()),
  oldObject: Type.Optional(Type.Unknown()),
})
const Review = Type.Object({
  apiVersion: Type.Union(versions.map((version) => Type.Literal(version))),
  kind: Type.Literal('AdmissionReview'),
  request: Request,
})
export type AdmissionRequest = Static<typeof Request>
export type AdmissionReview = Static<typeof Review>

const compiled = Compile(Review)

/** Checks the envelope of a review. The object in it is not checked. */
export function readReview(body: unknown): Result<AdmissionReview> {
  if (compiled.Check(body)) return ok(body)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return fail('the body is not an AdmissionReview, because it is not an object')
  const { apiVersion, kind, request } = body as Record<string, unknown>
  if (kind !== 'AdmissionReview' || !versions.some((version) => version === apiVersion))
    return fail(`the body is not an AdmissionReview of ${versions.join(' or ')}`)
  if (request === null || request === undefined) return fail('the AdmissionReview holds no request to answer')
  return fail(...compiled.Errors(body).map(({ instancePath, message }) => `AdmissionReview${instancePath}: ${message}`))
}

/** The status of a denial, which the client of the API server gets. */
export interface Status {
  code: number
  reason: string
  message: string
  details?: { causes: { reason: string; message: string }[] }
}

export interface AdmissionResponse {
  uid: string
  allowed: boolean
  status?: Status
  patchType?: 'JSONPatch'
  /** Base64 of a JSON Patch. */
  patch?: string
  warnings?: string[]
  auditAnnotations?: Record<string, string>
}

/** Wraps a response in an AdmissionReview of the request's version. */
export const answerTo = ({ apiVersion, kind }: AdmissionReview, response: AdmissionResponse) => ({
  apiVersion,
  kind,
  response,
})

/** Whether the request creates a pod; an update of its ephemeral containers does not. */
export const createsPod = ({ kind, subResource, operation }: AdmissionRequest): boolean =>
  operation === 'CREATE' && !subResource && kind?.kind === 'Pod' && !kind.group

/** Returns the object's name for logs and messages. A controller's pods have no name yet, only a prefix. */
export function nameOf({ name, object }: AdmissionRequest): string {
  const { metadata } = (object ?? {}) as { metadata?: { name?: unknown; generateName?: unknown } | null }
  if (name) return bounded(name)
  if (typeof metadata?.name === 'string' && metadata.name !== '') return bounded(metadata.name)
  return typeof metadata?.generateName === 'string' ? `${bounded(metadata.generateName)}*` : '(unnamed)'
}

/** The API server validates names only after calling webhooks. */
const bounded = (name: string): string => (name.length <= 253 ? name : `${name.slice(0, 252)}…`)
