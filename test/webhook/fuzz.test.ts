import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { parse } from 'yaml'
import { createLogger } from '../../shared/log.ts'
import type { AdmissionResponse } from '../../webhook/review/admission-review.ts'
import { pendingEvent } from '../../webhook/report/events.ts'
import { appFor, cluster, reviewOf } from './review-app.ts'
import { mutate } from './mutations.ts'
import { seededInteger } from '../support/seeded-random.ts'

/*
 * Reviews of the pods in `golden/` with something wrong in them, as many as FUZZ_RUNS says (`npm run fuzz`: 100,000). FUZZ_SEED replays a run, and
 * FUZZ_ONLY the one review in it whose number a failure names.
 */
const runs = Number(process.env['FUZZ_RUNS'] ?? 3_000)
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)
const only = process.env['FUZZ_ONLY']

const golden = join(import.meta.dirname, 'golden')
const pods = readdirSync(golden)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => (parse(readFileSync(join(golden, file), 'utf8')) as { pod: object }).pod)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u', controller: true }
const ofPod = (pod: { metadata?: object }, version: string) =>
  reviewOf({ ...pod, metadata: { ownerReferences: [owner], ...pod.metadata } }, {}, version)
const ofWorkload = (template: object) =>
  reviewOf({ spec: { template } }, { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } })
const corpus = [
  ...pods.map((pod) => ({ url: '/mutate?timeout=10s', text: JSON.stringify(ofPod(pod, 'admission.k8s.io/v1')) })),
  ...pods.map((pod) => ({ url: '/env', text: JSON.stringify(ofPod(pod, 'admission.k8s.io/v1')) })),
  ...pods.map((pod) => ({ url: '/report', text: JSON.stringify(ofPod(pod, 'admission.k8s.io/v1beta1')) })),
  ...pods.map((pod) => ({ url: '/validate?timeout=5s', text: JSON.stringify(ofWorkload(pod)) })),
]

/** Bytes in use once nothing is left that could go. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What the first collection finalizes, the second one frees.
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

void t.test(`fuzz: each of ${runs} mutated reviews is answered with a reason`, async (t) => {
  t.comment(`FUZZ_SEED=${seed}`)
  const failed: string[] = []
  const nowhere = new Writable({
    write: (chunk: Buffer, _encoding, done) => (
      String(chunk).includes('request failed') && failed.push(String(chunk)),
      done()
    ),
  })
  const log = createLogger('info', nowhere)
  const decisions: Record<string, number> = {}
  const newest = (): string => 'v1.37.0'
  const known = cluster({ oldestKubelet: newest, apiServer: newest })
  const app = appFor(
    t,
    {
      log,
      cluster: known,
      decided(decided) {
        // What the test itself would keep.
        known.asked.length = 0
        pendingEvent(decided)
        decisions[decided.decision.kind] = (decisions[decided.decision.kind] ?? 0) + 1
      },
    },
    { log },
  )
  let refused = 0
  let early = 0
  const numbers = only === undefined ? Array.from({ length: runs }, (_, number) => number) : [Number(only)]
  for (const number of numbers) {
    const random = seededInteger(seed + number)
    const { url, text } = corpus[number % corpus.length]!
    const body = mutate(text, corpus[random(corpus.length)]!.text, random)
    const headers = { 'content-type': 'application/json' }
    const { statusCode, payload } = await app.server.inject({ method: 'POST', url, headers, payload: body })
    const problem = problemOf(statusCode, JSON.parse(payload) as object)
    if (problem !== undefined)
      throw new Error(`FUZZ_SEED=${seed} FUZZ_ONLY=${number}: ${problem}\n${body.slice(0, 5000)}`)
    if (statusCode !== 200) refused++
    if (number === Math.floor(runs / 5)) early = heap()
  }
  t.comment(JSON.stringify({ ...decisions, 'no review': refused }))
  t.strictSame(failed, [], 'nothing went wrong inside')
  if (only !== undefined) return
  for (const kind of ['inject', 'skip', 'deny']) t.ok(decisions[kind]! > runs / 50, `enough of them: ${kind}`)
  t.ok(refused > runs / 50, 'and enough that are no reviews')
  const grown = heap() - early
  t.ok(grown < 4 * 2 ** 20, `memory is bounded: ${Math.round(grown / 1024)} KiB more after all than after a fifth`)
})

/** What an answer lacks. */
function problemOf(statusCode: number, answer: { message?: string; response?: AdmissionResponse }): string | undefined {
  if (statusCode === 400 && answer.message) return undefined
  const { uid, allowed, status, patch, warnings = [] } = answer.response ?? {}
  if (statusCode !== 200 || !uid || allowed === undefined) return `${statusCode} ${JSON.stringify(answer)}`
  if (!allowed && !(status?.code && status.reason && status.message))
    return `a denial without a reason: ${JSON.stringify(answer)}`
  if (patch !== undefined && !Array.isArray(JSON.parse(Buffer.from(patch, 'base64').toString()))) return 'no patch'
  return warnings.length <= 10 ? undefined : `${warnings.length} warnings`
}
