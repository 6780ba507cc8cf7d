import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail, ok, type Parsed } from '../shared/parsed.ts'

const versions = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'] as const
/** The API server sends nothing longer here, and logs repeat these. */
const Short = Type.Optional(Type.String({ maxLength: 253 }))
const GroupKind = Type.Object({ group: Short, version: Short, kind: Short })

/** What is read of the request in an AdmissionReview. {@link https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request} */
const Request = Type.Object({
  uid: Type.String({ minLength: 1, maxLength: 253 }),
  kind: Type.Optional(GroupKind),
  subResource: Short,
  name: Type.Optional(Type.String()),
  namespace: Short,
  operation: Short,
  // Every review of an API server says who makes the request. To insist on it keeps out mistakes, not attackers: anyone can write one.
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

/** Reads the envelope of a review; the object inside stays as it is. */
export function readReview(body: unknown): Parsed<AdmissionReview> {
  if (compiled.Check(body)) return ok(body)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return fail('the body is not an AdmissionReview but something else than an object')
  const { apiVersion, kind, request } = body as Record<string, unknown>
  if (kind !== 'AdmissionReview' || !versions.some((version) => version === apiVersion))
    return fail(`the body is not an AdmissionReview of ${versions.join(' or ')}`)
  if (request === null || request === undefined) return fail('the AdmissionReview holds no request to answer')
  return fail(...compiled.Errors(body).map(({ instancePath, message }) => `AdmissionReview${instancePath}: ${message}`))
}

/** How a denial is shown to whoever made the request. */
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

/** The answer to a review, in the version it was asked in. */
export const answerTo = ({ apiVersion, kind }: AdmissionReview, response: AdmissionResponse) => ({
  apiVersion,
  kind,
  response,
})

/** Whether the request creates a pod: an update of its ephemeral containers, say, does not. */
export const createsPod = ({ kind, subResource, operation }: AdmissionRequest): boolean =>
  operation === 'CREATE' && !subResource && kind?.kind === 'Pod' && !kind.group

/** How logs and messages name the object: a controller's pods have no name of their own yet. */
export function nameOf({ name, object }: AdmissionRequest): string {
  const { metadata } = (object ?? {}) as { metadata?: { name?: unknown; generateName?: unknown } | null }
  if (name) return bounded(name)
  if (typeof metadata?.name === 'string' && metadata.name !== '') return bounded(metadata.name)
  return typeof metadata?.generateName === 'string' ? `${bounded(metadata.generateName)}*` : '(unnamed)'
}

/** The API server checks an object's name only after webhooks have been called. */
const bounded = (name: string): string => (name.length <= 253 ? name : `${name.slice(0, 252)}…`)
