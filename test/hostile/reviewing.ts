import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { parse } from 'yaml'
import { createLogger } from '../../shared/log.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'
import { annotated, appFor, cluster, reviewOf } from '../webhook/review-app.ts'
import type { Attack } from './texts.ts'

const golden = join(import.meta.dirname, '../webhook/golden')
interface Case {
  pod: object
  configuration?: object
  namespace?: object
  secretProviderClasses?: Record<string, unknown>
}
const cases = readdirSync(golden)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => parse(readFileSync(join(golden, file), 'utf8')) as Case)

export const nowhere = createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }))

/** A review in a cluster that has what an attack or a golden case says. */
export function reviewing(
  t: Parameters<typeof appFor>[0],
  { pod, namespace, classes = {}, limitRanges, annotations, configuration }: Attack,
) {
  const known = cluster({
    namespace: async (name) => ({ value: { name, labels: {}, annotations: {}, ...namespace }, cached: true }),
    serviceAccount: async () => ({
      value: annotations === undefined ? planInputs().serviceAccount : { annotations },
      cached: true,
    }),
    secretProviderClass: async (_namespace, name) => {
      const spec = classes[name]
      return { value: spec === undefined ? 'absent' : { spec }, cached: true }
    },
    limitRanges: async () => ({ value: limitRanges ?? [], cached: true }),
  })
  const read = configurationOf(configuration)
  const app = appFor(t, { cluster: known, log: nowhere, configuration: () => read }, { log: nowhere })
  const payload = JSON.stringify(reviewOf(pod ?? annotated()))
  return () =>
    app.server.inject({ method: 'POST', url: '/mutate', headers: { 'content-type': 'application/json' }, payload })
}

/** The reviews of all pods in `golden/`. */
export const goldenReviews = (t: Parameters<typeof appFor>[0]) =>
  cases.map(({ pod, configuration = {}, namespace = {}, secretProviderClasses = {} }) =>
    reviewing(t, { pod, configuration, namespace, classes: secretProviderClasses }),
  )
