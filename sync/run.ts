import type { AddressInfo } from 'node:net'
import { realClock, type Clock } from '../shared/clock.ts'
import type { Api } from '../shared/kubernetes/api.ts'
import type { Logger } from '../shared/log.ts'
import type { Result } from '../shared/result.ts'
import { openVaults, type OpenVaults } from '../shared/vault/open-vaults.ts'
import { watchConfiguration, type ConfigurationFile } from '../webhook/configuration/file.ts'
import { parseConfiguration, type Configuration } from '../webhook/configuration/configuration.ts'
import { ClassSync } from './class-sync.ts'
import { createSyncCluster } from './cluster.ts'
import { createController } from './controller.ts'
import { listen } from './listen.ts'
import type { SyncEnvironment } from './environment.ts'
import { createSyncEvents } from './events.ts'
import { createSyncMetrics } from './metrics.ts'
import type { ClassPlan } from './plan.ts'
import { createReporter } from './reporter.ts'
import { policyProblem } from './self-test.ts'
import { serve } from './server.ts'
import { SizeBudget } from './size-budget.ts'
import { watchCluster } from './watch.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** The program's surroundings. */
export interface World {
  environment: Readonly<SyncEnvironment>
  /** Variables of the process, for proxies. */
  variables: Variables
  api: Api
  version: string
  log: Logger
  abort: AbortSignal
  clock?: Clock
  /** Called with the port that serves probes and metrics. */
  onListening?: (port: number) => void
}

/** How often the self-test is repeated: until it succeeds, and from then on. */
const testMs = { first: 2_000, later: 600_000 }

/** Runs the program until the signal aborts; resolves when no poll is running. */
export async function runSync({
  environment,
  variables,
  api,
  version,
  log,
  abort,
  clock = realClock,
  onListening,
}: World): Promise<void> {
  const { pod, configurationFile, port } = environment
  const configuration = await readConfiguration(configurationFile, log)
  const cluster = createSyncCluster(api)
  const events = createSyncEvents({ api, instance: pod.name, log, clock })
  let classes: readonly string[] = []
  const metrics = createSyncMetrics({
    ...{ version, classes: () => classes, eventsDropped: events.dropped },
    memory: () => process.memoryUsage.rss(),
  })
  const reporter = createReporter({ log, events, metrics })
  const watched = watchCluster({ api, log, onLimited: metrics.limited })
  let problem: string | undefined = 'the admission policies have not been tested yet'
  const server = await serve(
    {
      notReady: () => problem ?? (watched.isRead() ? undefined : 'Namespaces have not been read yet'),
      metrics: metrics.text,
    },
    port,
  )
  const listensOn = (server.address() as AddressInfo).port
  log.info({ event: 'started', version, port: listensOn }, 'started')
  onListening?.(listensOn)

  async function testPolicies(): Promise<void> {
    while (!abort.aborted) {
      const found = await policyProblem(api, pod.namespace)
      metrics.policies(found === undefined)
      if (found !== problem) {
        if (found === undefined) log.info({ event: 'policies' }, 'both admission policies refuse what they must')
        else log.error({ event: 'policies' }, `no Secret is written: ${found}`)
      }
      problem = found
      await clock.wait(found === undefined ? testMs.later : testMs.first, abort)
    }
  }

  const dependencies = {
    ...{ cluster, clock, abort, random: Math.random, programNamespace: pod.namespace },
    budget: new SizeBudget(),
    configuration: () => configuration.current(),
    openVaults: (plan: ClassPlan, token: () => Promise<string>): Result<OpenVaults> =>
      openVaults(plan, proxied(variables, configuration.current()), {
        ...{ readText: token, onRequest: reporter.request, onSignIn: reporter.signIn },
      }),
  }
  const testing = testPolicies()
  const controller = createController({
    watched: {
      classes() {
        const all = watched.classes()
        classes = all.map(({ namespace, name }) => `${namespace}/${name}`)
        return all
      },
    },
    createSync: ({ namespace, name }) => new ClassSync(namespace, name, dependencies),
    async polled(one, poll) {
      listening?.changed()
      await reporter.polled(one, poll)
    },
    mayPoll: () => problem === undefined,
    ...{ clock, abort, random: Math.random },
  })
  const { coordinator } = configuration.current()
  const listening =
    coordinator && listen({ controller, coordinator, tokenFile: environment.coordinatorTokenFile, clock, abort, log })
  await controller.run()
  log.info({ event: 'stopped' }, 'stopped')
  server.close()
  await Promise.all([testing, listening?.ended, watched.close(), configuration.close()])
}

async function readConfiguration(file: string | undefined, log: Logger): Promise<ConfigurationFile> {
  if (file !== undefined) return watchConfiguration({ file, log })
  const parsed = parseConfiguration('')
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return { current: () => parsed.value, problem: () => undefined, close: async () => {} }
}

/** The administrator's proxies are those of the sidecars: they lead to vaults and to the sign-in service. */
const proxied = (variables: Variables, { proxy }: Configuration): Variables => ({
  ...variables,
  ...(proxy?.httpProxy !== undefined && { HTTP_PROXY: proxy.httpProxy }),
  ...(proxy?.httpsProxy !== undefined && { HTTPS_PROXY: proxy.httpsProxy }),
  ...(proxy?.noProxy !== undefined && { NO_PROXY: proxy.noProxy }),
})
