import t from 'tap'
import { ApiError } from '../../shared/kubernetes/api.ts'
import { policyProblem } from '../../sync/self-test.ts'
import { ObjectApi } from './object-api.ts'

const token = 'POST /api/v1/namespaces/akv/serviceaccounts/akv-injector-sync/token'
const secret = 'PATCH /api/v1/namespaces/akv/secrets/akv-injector-sync-self-test'

/** Returns what the self-test says if the API server refuses with these messages, and accepts what has none. */
async function test(messages: Record<string, string>): Promise<string | undefined> {
  const api = new ObjectApi()
  api.before = (call) => {
    const said = messages[call]
    if (said !== undefined) throw new ApiError(403, said, said)
  }
  return policyProblem(api, 'akv')
}
const refusals = {
  [token]: "ValidatingAdmissionPolicy 'akv-injector-sync-tokens' denied request",
  [secret]: "ValidatingAdmissionPolicy 'akv-injector-sync-secrets' denied request",
}

void t.test('sync self-test: the program goes on only if each refusal names its policy', async (t) => {
  t.equal(await test(refusals), undefined)
  const { [token]: _token, ...withoutToken } = refusals
  t.match(await test(withoutToken), /accepted a token.*akv-injector-sync-tokens or its binding is missing/)
  const { [secret]: _secret, ...withoutSecret } = refusals
  t.match(await test(withoutSecret), /accepted a Secret of a forbidden type.*akv-injector-sync-secrets/)
  t.match(await test({ ...refusals, [token]: 'forbidden by RBAC' }), /does not name.*tokens: forbidden by RBAC/)
  t.match(
    await test({ ...refusals, [secret]: refusals[token] ?? '' }),
    /does not name.*secrets/,
    'another policy does not count',
  )
})

void t.test('sync self-test: what it asks for is harmless', async (t) => {
  const api = new ObjectApi()
  const paths: string[] = []
  const call = api.call.bind(api)
  api.call = (request) => {
    paths.push(request.path)
    return call(request)
  }
  api.token = async () => 'canary-token'
  t.notMatch(await policyProblem(api, 'akv'), 'canary-token')
  await call({ path: '/x' }).catch(() => undefined)
  api.before = (one) => {
    if (one === token) throw new ApiError(403, refusals[token] ?? '')
  }
  await policyProblem(api, 'akv')
  t.match(paths.at(-1), /dryRun=All/)
  t.match(api.bodies.get(token), [{ spec: { audiences: ['akv-injector-sync-self-test'], expirationSeconds: 600 } }])
})
