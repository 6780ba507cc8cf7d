import type { SecureContextOptions } from 'node:tls'
import { serviceNames, type Services } from './authority.ts'
import { systemClock, type Clock } from './clock.ts'
import type { ClusterCertificates, ClusterView } from './cluster.ts'
import { teller, type CertificateEvent, type Log } from './events.ts'
import { repeat } from './loop.ts'
import { pki as x509, type Pki } from './pki.ts'
import { readiness, type Readiness } from './readiness.ts'
import { plan, type Action, type Lifetimes, type Observed } from './rotation.ts'
import { decodeSecret } from './secret.ts'
import { callSegment, knowSegments, segmentOf, type KnownSegments } from './segments.ts'
import { createServing, type Serving, type TlsOptions } from './serving.ts'
import { see, type Sightings } from './sightings.ts'
import { describeStep, takeStep } from './steps.ts'

const DAY_MS = 24 * 60 * 60_000

export const DEFAULT_LIFETIMES: Lifetimes = { authority: 365 * DAY_MS, leaf: 30 * DAY_MS, settle: 60_000 }

/** However quiet the watches are, the cluster is read this often. */
const REREAD_MS = 5 * 60_000

/** The certificate that the webhook serves, whoever makes it. */
export interface Certificates {
  /** Complete options for `https.createServer`; no handshake succeeds before the first certificate is there. */
  tlsOptions(): SecureContextOptions
  /** Keeps the running server on the current certificate, without dropping a connection. Returns what ends that; closing the server does too. */
  attach: Serving['attach']
  /** For the readiness probe: a valid certificate is served and callers trust it. */
  readiness(): Readiness
  /** For metrics: when the certificate being served ends (milliseconds since 1970); undefined while there is none. */
  notAfter(): number | undefined
  /** What may stand before the own path of an entry (`/guard`); absent if paths have no segment before them. */
  segments?: (path: string) => readonly string[]
  /** Stops reading, watching and writing. The servers go on serving what they have. */
  close(): Promise<void>
}

export interface CertificateOptions {
  cluster: ClusterCertificates
  services: Services
  /** see DEFAULT_LIFETIMES: authority 365 days, certificate 30 days, settle time 60 seconds */
  lifetimes?: Partial<Lifetimes>
  /** added to the defaults of serving.ts */
  tls?: TlsOptions
  log: Log
  /** for metrics; called after the log line */
  onEvent?: (event: CertificateEvent) => void
  clock?: Clock
  /** 0 to 1, for the jitter of repeated tries */
  random?: () => number
  pki?: Pki
  serving?: Serving
}

/**
 * Makes and keeps the webhook's own certificate: one Secret shared by all replicas, each of which runs this.
 *
 * Returns at once, and goes on through every failure of the cluster until `close()`:
 *
 *     const certificates = startCertificates({ cluster: kubernetesCertificates(kubeConfig, ...), services, log })
 *     const server = https.createServer(certificates.tlsOptions(), handler)
 *     certificates.attach(server)
 *
 * @throws RangeError when the lifetimes do not go together
 */
export function startCertificates(options: CertificateOptions): Certificates {
  const { cluster, services, clock = systemClock, random = Math.random, pki = x509 } = options
  const { serving = createServing(options.tls) } = options
  const lifetimes = checkLifetimes({ ...DEFAULT_LIFETIMES, ...options.lifetimes })
  const names = serviceNames(services)
  let observed: Observed & { known: KnownSegments } = { configurations: [], sightings: new Map(), known: new Map() }
  /** passes in a row that found something to do: some are normal, many mean that something undoes our work or refuses it */
  let busy = 0
  let trouble: unknown

  const tell = teller(options.log, (event) => {
    if ('error' in event) trouble = event.error
    options.onEvent?.(event)
  })

  async function look(): Promise<ClusterView> {
    const view = await cluster.read()
    const now = clock.now()
    const seen = understand(view, { ...observed, now, names, pki })
    observed = { ...observed, ...seen, known: knowSegments(observed.known, seen, { now, settle: lifetimes.settle }) }
    if (!observed.secret) throw new Error('the Secret does not exist; it is part of the manifests, apply them again')
    return view
  }

  /** Resolves to whether it was taken; a conflict counts, as it calls for another look in the same way. */
  async function act(action: Action, view: ClusterView): Promise<boolean> {
    try {
      if (action.type === 'serve') {
        serving.swap({ certificate: action.leaf.pem, key: action.leaf.key })
        observed = { ...observed, serving: action.leaf }
        tell({ type: 'serving', certificate: action.leaf.id, notAfter: action.leaf.notAfter })
        return true
      }
      const secret = observed.secret!
      const written = await takeStep(action, { cluster, view, secret, names, lifetimes, pki, now: clock.now() })
      tell(
        written
          ? { type: 'step', step: action.type, detail: describeStep(action) }
          : { type: 'conflict', step: action.type },
      )
      return true
    } catch (error) {
      tell(action.type === 'serve' ? { type: 'refused', error } : { type: 'failed', step: action.type, error })
      return false
    }
  }

  async function pass(): Promise<number> {
    busy++
    const view = await look().catch((error: unknown) => tell({ type: 'failed', step: 'read', error }))
    if (!view) return backoff(busy, random)
    const { actions, wakeAt = Infinity } = plan(observed, clock.now(), lifetimes)
    for (const action of actions) {
      if (await act(action, view)) return busy > CALM_STEPS ? backoff(busy - CALM_STEPS, random) : 0
    }
    if (actions.length > 0) return backoff(busy, random)
    busy = 0
    return Math.min(REREAD_MS, Math.max(1, wakeAt - clock.now() + random() * STAGGER_MS))
  }

  const loop = repeat(pass, clock)
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

/** What is in a view, as far as the plan is concerned: certificates instead of text, and since when they have been there. */
function understand(
  { secret: stored, configurations: read }: ClusterView,
  { sightings, known, now, names, pki }: { sightings: Sightings; known: KnownSegments; now: number; names: readonly string[]; pki: Pki }, // prettier-ignore
): Pick<Observed, 'configurations' | 'sightings'> & Pick<Required<Observed>, 'secret'> {
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
  return { configurations, sightings: see(sightings, configurations, now), secret }
}

/** Replicas that wait for the same moment do not all make keys for one of them to be used. */
const STAGGER_MS = 2_000

/** A first start takes three: make, serve, publish. */
const CALM_STEPS = 8

/** A quarter of a second, doubled with every try, 30 seconds at most, half of it at random. */
function backoff(tries: number, random: () => number): number {
  return Math.min(30_000, 250 * 2 ** Math.min(tries, 10)) * (0.5 + random() / 2)
}

function checkLifetimes(lifetimes: Lifetimes): Lifetimes {
  const { authority, leaf, settle } = lifetimes
  if (!(leaf * 3 <= authority))
    throw new RangeError("the life of a certificate must be at most a third of its authority's")
  if (!(settle >= 0 && settle * 6 <= leaf))
    throw new RangeError("the settle time must be at most a sixth of a certificate's life")
  return lifetimes
}
