import { ApiError, type Api, type ApiRequest } from '../shared/kubernetes/api.ts'
import { tokenRequest } from './cluster.ts'
import { classKind, classVersion, program, secretPolicy, selfTestSecret, syncedLabel, tokenPolicy } from './names.ts'

/** Limit of one request, in milliseconds. */
const requestTimeoutMs = 10_000
/** An audience that no policy allows. */
const wrongAudience = 'akv-injector-sync-self-test'
/** A type that no policy allows, and that means nothing to Kubernetes. */
const wrongType = 'azure.keyvault.injector/self-test'

/**
 * Asks for what the admission policies must refuse: a token for another audience, and a Secret of another type (a dry run). A policy that
 * matches no caller lets everything pass, so the program goes on only if each refusal names its policy. A token that it gets is dropped.
 * @param namespace of the program
 * @returns why the program may not go on; undefined if it may
 */
export async function policyProblem(api: Api, namespace: string): Promise<string | undefined> {
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`
  const requests: [what: string, policy: string, request: ApiRequest][] = [
    [
      `a token of its own ServiceAccount ${program} for another audience`,
      tokenPolicy,
      {
        method: 'POST',
        path: `${core}/serviceaccounts/${program}/token`,
        body: tokenRequest([wrongAudience]),
        fields: {},
      },
    ],
    [
      'a Secret of a forbidden type',
      secretPolicy,
      {
        method: 'PATCH',
        path: `${core}/secrets/${selfTestSecret}?fieldManager=${program}&dryRun=All`,
        contentType: 'application/apply-patch+yaml',
        body: forbiddenSecret(namespace),
        fields: {},
      },
    ],
  ]
  for (const [what, policy, request] of requests) {
    const said = await refusal(api, request)
    if (said === undefined)
      return `the API server accepted ${what}: the ValidatingAdmissionPolicy ${policy} or its binding is missing`
    if (!said.includes(policy))
      return `the API server's answer to ${what} does not name the ValidatingAdmissionPolicy ${policy}: ${said}`
  }
  return undefined
}

const forbiddenSecret = (namespace: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: selfTestSecret,
    namespace,
    labels: { [syncedLabel]: 'true' },
    ownerReferences: [
      { apiVersion: classVersion, kind: classKind, name: 'self-test', uid: '00000000-0000-4000-8000-000000000000' },
    ],
  },
  type: wrongType,
})

async function refusal(api: Api, request: ApiRequest): Promise<string | undefined> {
  try {
    await api.call({ ...request, signal: AbortSignal.timeout(requestTimeoutMs) })
    return undefined
  } catch (error) {
    // An API server that cannot be reached has refused nothing.
    return error instanceof ApiError ? error.said || error.message : (error as Error).message
  }
}
