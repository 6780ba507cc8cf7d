import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watch } from 'chokidar'
import { realClock, type WallClock } from '../shared/clock.ts'
import type { CaBundles, ClusterConfiguration } from './store.ts'
import { createEventEmitter, type CertificateEvent, type Log } from './events.ts'
import { startLoop } from './loop.ts'
import type { Certificates } from './self-managed.ts'
import { notReady, notTrusted, type Readiness } from './readiness.ts'
import { isValid } from './rotation.ts'
import { createServing, type Pair, type TlsOptions } from './serving.ts'
import { isAnchoredIn, parsePair, type ServedPair } from './x509.ts'

/** The first read takes milliseconds. If the files are not there yet, a program listens without them and is not ready. */
const FIRST_READ_MS = 2_000
/** Files and caBundles are read at least this often, even if the watches report no change. */
const REREAD_MS = 60_000
const RETRY_MS = 2_000

export interface CertificateFilesOptions {
  /** where the Secret is mounted: `tls.crt` (with its chain) and `tls.key`, PEM */
  directory: string
  /** makes readiness depend on whether callers trust the certificate; without it, a valid certificate is enough */
  bundles?: Pick<CaBundles, 'read' | 'watch'>
  /** added to the defaults of serving.ts */
  tls?: TlsOptions
  log: Log
  /** what log lines call the certificate; `webhook certificate` by default */
  name?: string
  /** for metrics; called after the log line */
  onEvent?: (event: CertificateEvent) => void
  clock?: WallClock
}

/**
 * Serves the certificate that cert-manager, for example, keeps in a mounted Secret, and swaps it when the files change. Like
 * `startCertificates`, it returns at once and continues after failures; if files are missing or do not belong together, the previous
 * certificate stays.
 */
export function startCertificateFiles(options: CertificateFilesOptions): Certificates {
  const { directory, bundles, clock = realClock } = options
  const emit = createEventEmitter(options.log, options.onEvent, options.name)
  const serving = createServing(options.tls)
  let served: ServedPair | undefined
  let configurations: readonly ClusterConfiguration[] = []

  async function reload(): Promise<void> {
    const pair = await readPair(directory)
    if (pair.certificate === served?.certificate && pair.key === served.key) return
    try {
      const next = parsePair(pair)
      if (served && isValid(served, clock.now()) && !isValid(next, clock.now())) throw new Error('it is not valid now')
      serving.swap(pair)
      served = next
      emit({ type: 'serving', certificate: next.id, notAfter: next.notAfter })
    } catch (error) {
      emit({ type: 'refused', error })
    }
  }

  async function readBundles(): Promise<void> {
    if (bundles) configurations = await bundles.read()
  }

  /** Resolves to whether the work succeeded. */
  async function attempt(work: Promise<void>): Promise<boolean> {
    return work.then(
      () => true,
      (error: unknown) => {
        emit({ type: 'failed', step: 'read', error })
        return false
      },
    )
  }

  async function pass(): Promise<number> {
    const outcomes = await Promise.all([attempt(reload()), attempt(readBundles())])
    return outcomes.every(Boolean) ? REREAD_MS : RETRY_MS
  }

  const loop = startLoop(pass, clock)
  const watcher = watch(directory, { ignoreInitial: true })
    .on('all', () => loop.wake())
    .on('error', (error) => emit({ type: 'failed', step: 'read', error }))
  const unwatch = bundles?.watch(() => loop.wake())
  return {
    tlsOptions: () => serving.options(),
    attach: (server) => serving.attach(server),
    readiness: () => readiness(served, bundles && configurations, clock.now()),
    notAfter: () => served?.notAfter,
    async close() {
      unwatch?.()
      await Promise.all([watcher.close(), loop.stop()])
    },
  }
}

function readiness(
  served: ServedPair | undefined,
  configurations: readonly ClusterConfiguration[] | undefined,
  now: number,
): Readiness {
  if (!served)
    return notReady('no certificate is served yet: tls.crt and tls.key are missing or do not belong together')
  if (!isValid(served, now)) return notReady('the certificate being served is not valid now')
  if (!configurations) return { ready: true }
  if (configurations.length === 0) return notReady('no webhook configuration calls the Services of the injector')
  const distrusting = configurations.filter(({ webhooks }) =>
    webhooks.some(({ caBundle }) => !isAnchoredIn(served.chain, caBundle)),
  )
  return distrusting.length === 0 ? { ready: true } : notTrusted(distrusting)
}

/**
 * Reads a consistent pair: the kubelet keeps both files in a folder that `..data` points to and only changes that link, so the folder is
 * resolved once. A directory without `..data` is read directly.
 */
async function readPair(directory: string): Promise<Pair> {
  const folder = await realpath(join(directory, '..data')).catch(() => directory)
  const [certificate, key] = await Promise.all(
    ['tls.crt', 'tls.key'].map((file) => readFile(join(folder, file), 'utf8')),
  )
  return { certificate: certificate!, key: key! }
}

/**
 * Waits for the first certificate, for two seconds at most: a server that listens before it has one ends each connection,
 * and readers of its log line "listening" may send requests right away.
 */
export async function firstRead({ notAfter }: Pick<Certificates, 'notAfter'>): Promise<void> {
  const pauseMs = 20
  for (let waited = 0; notAfter() === undefined && waited < FIRST_READ_MS; waited += pauseMs) await sleep(pauseMs)
}
