import type { SecureContextOptions } from 'node:tls'
import { serviceNames, type Services } from './authority.ts'
import { realClock, type WallClock } from '../shared/clock.ts'
import type { ClusterCertificates, ClusterView } from './store.ts'
import { createEventEmitter, type CertificateEvent, type Log } from './events.ts'
import { startLoop } from './loop.ts'
import { pki as x509, type Pki } from './pki.ts'
import { readiness, type Readiness } from './readiness.ts'
import { plan, type Action, type Observed } from './rotation.ts'
import { type Lifetimes } from './secret-state.ts'
import { decodeSecret } from './secret.ts'
import { callSegment, knowSegments, segmentOf, type KnownSegments } from './segments.ts'
import { createServing, type Serving, type TlsOptions } from './serving.ts'
import { observe, type TrustHistory } from './trust-history.ts'
import { describeStep, applyAction } from './apply.ts'

const DAY_MS = 24 * 60 * 60_000

export const DEFAULT_LIFETIMES: Lifetimes = { authorityMs: 365 * DAY_MS, leafMs: 30 * DAY_MS, propagationMs: 60_000 }

/** The cluster is read at least this often, even if the watches report no change. */
const REREAD_MS = 5 * 60_000

/** The certificate that the webhook serves, self-managed or mounted. */
export interface Certificates {
  /** Returns complete options for `https.createServer`; handshakes fail until there is a certificate. */
  tlsOptions(): SecureContextOptions
  /** Keeps the running server on the current certificate, without dropping a connection, until it closes or the returned function is called. */
  attach: Serving['attach']
  /** For the readiness probe: whether a valid certificate is served that callers trust. */
  readiness(): Readiness
  /** For metrics: returns when the served certificate expires (milliseconds since 1970); undefined if there is none. */
  notAfter(): number | undefined
  /** Returns the accepted segments before an entry's path (`/guard`); absent if paths have no segment. */
  segments?: (path: string) => readonly string[]
  /** Stops reading, watching and writing. Servers keep their certificate. */
  close(): Promise<void>
}

export interface CertificateOptions {
  cluster: ClusterCertificates
  services: Services
  /** see DEFAULT_LIFETIMES: authority 365 days, certificate 30 days, propagation time 60 seconds */
  lifetimes?: Partial<Lifetimes>
  /** added to the defaults of serving.ts */
  tls?: TlsOptions
  log: Log
  /** for metrics; called after the log line */
  onEvent?: (event: CertificateEvent) => void
  clock?: WallClock
  /** 0 to 1, for the jitter of retries */
  random?: () => number
  pki?: Pki
  serving?: Serving
}

/**
 * Creates and rotates the webhook's own certificate in one Secret shared by all replicas, each of which runs this.
 *
 * Returns at once, and continues after every failure of the cluster until `close()`:
 *
 *     const certificates = startCertificates({ cluster: createKubernetesStore(kubeConfig, ...), services, log })
 *     const server = https.createServer(certificates.tlsOptions(), handler)
 *     certificates.attach(server)
 *
 * @throws RangeError if the lifetimes contradict each other
 */
export function startCertificates(options: CertificateOptions): Certificates {
  const { cluster, services, clock = realClock, random = Math.random, pki = x509 } = options
  const { serving = createServing(options.tls) } = options
  const lifetimes = checkLifetimes({ ...DEFAULT_LIFETIMES, ...options.lifetimes })
  const names = serviceNames(services)
  let observed: Observed & { known: KnownSegments } = { configurations: [], history: new Map(), known: new Map() }
  /** consecutive passes that found something to do: some are normal, many mean that something undoes or rejects the writes */
  let busy = 0
  let trouble: unknown

  const emit = createEventEmitter(options.log, (event) => {
    if ('error' in event) trouble = event.error
    options.onEvent?.(event)
  })

  async function observeCluster(): Promise<ClusterView> {
    const view = await cluster.read()
    const now = clock.now()
    const seen = understand(view, { ...observed, now, names, pki })
    observed = {
      ...observed,
      ...seen,
      known: knowSegments(observed.known, seen, { now, propagationMs: lifetimes.propagationMs }),
    }
    if (!observed.secret) throw new Error('the Secret does not exist; it is part of the manifests, apply them again')
    return view
  }

  /** Resolves to whether the action was applied. A conflict counts, because the cluster has to be observed again in both cases. */
  async function apply(action: Action, view: ClusterView): Promise<boolean> {
    try {
      if (action.type === 'serve') {
        serving.swap({ certificate: action.leaf.pem, key: action.leaf.key })
        observed = { ...observed, serving: action.leaf }
        emit({ type: 'serving', certificate: action.leaf.id, notAfter: action.leaf.notAfter })
        return true
      }
      const secret = observed.secret!
      const written = await applyAction(action, { cluster, view, secret, names, lifetimes, pki, now: clock.now() })
      emit(
        written
          ? { type: 'step', step: action.type, detail: describeStep(action) }
          : { type: 'conflict', step: action.type },
      )
      return true
    } catch (error) {
      emit(action.type === 'serve' ? { type: 'refused', error } : { type: 'failed', step: action.type, error })
      return false
    }
  }

  async function pass(): Promise<number> {
    busy++
    const view = await observeCluster().catch((error: unknown) => emit({ type: 'failed', step: 'read', error }))
    if (!view) return backoff(busy, random)
    const { actions, wakeAt = Infinity } = plan(observed, clock.now(), lifetimes)
    for (const action of actions) {
      if (await apply(action, view)) return busy > CALM_STEPS ? backoff(busy - CALM_STEPS, random) : 0
    }
    if (actions.length > 0) return backoff(busy, random)
    busy = 0
    return Math.min(REREAD_MS, Math.max(1, wakeAt - clock.now() + random() * STAGGER_MS))
  }

  const loop = startLoop(pass, clock)
  const unwatch = cluster.watch(() => loop.wake())
  return {
    tlsOptions: () => serving.options(),
    attach: (server) => serving.attach(server),
    readiness: () => readiness({ ...observed, trouble }, clock.now()),
    notAfter: () => observed.serving?.notAfter,
    segments: (path) => [...observed.known.keys()].flatMap((segment) => callSegment(segment, path) ?? []),
    async close() {
      unwatch()
      await loop.stop()
    },
  }
}

/** Parses a view for the plan: certificates instead of text, and since when they have been observed. */
function understand(
  { secret: stored, configurations: read }: ClusterView,
  {
    history,
    known,
    now,
    names,
    pki,
  }: { history: TrustHistory; known: KnownSegments; now: number; names: readonly string[]; pki: Pki },
): Pick<Observed, 'configurations' | 'history'> & Pick<Required<Observed>, 'secret'> {
  const secret = stored && decodeSecret(stored.data, names, pki)
  const segments = [...(secret?.segments ?? []), ...known.keys()]
  const configurations = read.map(({ id, uid, generation, webhooks }) => ({
    id,
    uid,
    generation,
    webhooks: webhooks.map(({ name, caBundle, segment, path }) => ({
      name,
      authorities: pki.parseAuthorities(caBundle),
      segment: segmentOf(segment, path, segments),
      path,
    })),
  }))
  return { configurations, history: observe(history, configurations, now), secret }
}

/** Prevents replicas that wait for the same moment from all creating keys of which only one is used. */
const STAGGER_MS = 2_000

/** A first start takes three: create, serve, publish. */
const CALM_STEPS = 8

/** Returns milliseconds: a quarter of a second, doubled with every retry, at most 30 seconds, half of it random. */
function backoff(tries: number, random: () => number): number {
  return Math.min(30_000, 250 * 2 ** Math.min(tries, 10)) * (0.5 + random() / 2)
}

function checkLifetimes(lifetimes: Lifetimes): Lifetimes {
  const { authorityMs: authority, leafMs: leaf, propagationMs: propagation } = lifetimes
  if (!(leaf * 3 <= authority))
    throw new RangeError("the life of a certificate must be at most a third of its authority's")
  if (!(propagation >= 0 && propagation * 6 <= leaf))
    throw new RangeError("the propagation time must be at most a sixth of a certificate's life")
  return lifetimes
}
