/** Posts an AdmissionReview to the webhook, and reads the patch in the answer. */
import { type Operation } from 'fast-json-patch'
import type { AdmissionResponse } from '../../webhook/review/admission-review.ts'
import { appFor } from './review-app.ts'

export interface Answer {
  apiVersion: string
  kind: string
  response: AdmissionResponse
}

type App = ReturnType<typeof appFor>

export async function post(app: App, body: object, url = '/mutate?timeout=10s') {
  const { statusCode, headers, payload } = await app.server.inject({ method: 'POST', url, payload: body })
  return { statusCode, headers, answer: JSON.parse(payload) as Answer }
}

export const patchIn = ({ response }: Answer): Operation[] =>
  JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as Operation[]
