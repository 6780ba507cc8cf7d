/**
 * A cluster, its clock and its replicas in memory, to try in seconds what takes years. Every request and every answer
 * waits in a queue until the test delivers it, in any order, or loses it.
 */
import type { ClusterCertificates, ClusterConfiguration, ClusterSecret } from '../../certs/store.ts'
import type { CertificateEvent } from '../../certs/events.ts'
import { startCertificates, type Certificates } from '../../certs/self-managed.ts'
import type { Lifetimes } from '../../certs/secret-state.ts'
import type { Leaf } from '../../certs/x509.ts'
import { changed, newConfiguration, type LiveWebhook } from './model-configuration.ts'
import { SymbolicPki } from './symbolic-pki.ts'

const SERVICES = { names: ['hook'], namespace: 'system' } as const

/** More than any sequence of steps needs: a replica that asks for more asks without end. */
const MOST_MOVES = 20_000

export type Call = Pick<LiveWebhook, 'path' | 'segment'>
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Lets everything run that waits for nothing but promises. */
export const settleDown = () => new Promise<void>((resolve) => setImmediate(resolve))

interface Waiting {
  replica: Replica
  go: () => void
  lose: () => void
}

export interface Replica {
  certificates: Certificates
  /** the number of the change that its last read saw */
  read: number
  alive: boolean
  serving?: Leaf
  /** since when callers trusted what, as of its last read */
  seen: ReadonlyMap<string, number>
}

export class CertificateModel {
  now = Date.parse('2030-01-01T00:00:00Z')
  readonly lifetimes: Lifetimes
  secret: Mutable<ClusterSecret> | undefined = { resourceVersion: '1', data: {} }
  configurations: ClusterConfiguration[]
  replicas: Replica[] = []
  waiting: Waiting[] = []
  /** requests and answers that take very long */
  stalled: Waiting[] = []
  /** steps that were taken too early, in words */
  tooEarly: string[] = []
  events: CertificateEvent[] = []
  /** what callers trusted, and until when: other API servers may still go by it for the propagation time */
  trustedBefore: { trusted: Set<string>; calls: Call[]; until: number }[] = []
  /** the number of the last change, and of the last change to the caBundles by someone else */
  change = 1
  interference = 0
  private readonly pki: SymbolicPki
  /** authorities that every webhook of the injector contains, and since when without a gap */
  private trustedSince: ReadonlyMap<string, number> = new Map()
  private timers: { at: number; ring: () => void }[] = []
  private watchers: { replica: Replica; changed: () => void }[] = []

  constructor(replicas: number, lifetimes: Lifetimes, configurations = 2) {
    this.lifetimes = lifetimes
    this.pki = new SymbolicPki(
      () => this.now,
      () => this.leafIn(this.secret?.data ?? {}),
    )
    this.configurations = Array.from({ length: configurations }, (_, number) =>
      newConfiguration(++this.change, `configuration ${number}`),
    )
    for (let number = 0; number < replicas; number++) this.start()
  }

  start(): void {
    const replica: Replica = {
      alive: true,
      read: 0,
      seen: new Map(),
      certificates: undefined as unknown as Certificates,
    }
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const parse = this.pki.parseLeaf
    replica.certificates = startCertificates({
      cluster: this.connection(replica),
      services: SERVICES,
      lifetimes: this.lifetimes,
      log: silent,
      onEvent: (event) => this.events.push(event),
      random: () => 0.5,
      pki: this.pki,
      clock: { now: () => this.now, wait: (pause, signal) => this.wait(pause, signal) },
      serving: {
        options: () => ({}),
        attach: () => () => undefined,
        swap: ({ certificate, key }) => {
          const leaf = parse({ certificate, key, names: [], authorities: this.pki.known })
          if (!leaf) throw new Error('not a pair')
          this.checkSettled('serves', replica, leaf, replica.serving)
          replica.serving = leaf
        },
      },
    })
    this.replicas.push(replica)
  }

  /** As by SIGKILL: whatever it was waiting for never comes. What had reached the API server stays there. */
  kill(replica: Replica): void {
    replica.alive = false
    this.replicas = this.replicas.filter((other) => other !== replica)
    this.waiting = this.waiting.filter((one) => one.replica !== replica)
    this.stalled = this.stalled.filter((one) => one.replica !== replica)
    this.watchers = this.watchers.filter((one) => one.replica !== replica)
    void replica.certificates.close()
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    const due = this.timers.filter(({ at }) => at <= this.now)
    this.timers = this.timers.filter(({ at }) => at > this.now)
    for (const { ring } of due) ring()
  }

  /** Lets `milliseconds` go by, from one timer to the next but not in steps smaller than `step`; nothing is lost or late. */
  async pass(milliseconds: number, step = 1): Promise<void> {
    const end = this.now + milliseconds
    for (let moves = 0; ;) {
      await settleDown()
      while (this.waiting.length > 0) {
        if (++moves > MOST_MOVES) throw new Error(`still busy after ${moves} requests, answers and events`)
        this.waiting.shift()!.go()
        await settleDown()
      }
      if (this.now >= end) return
      const timer = Math.min(...this.timers.map(({ at }) => at))
      this.advance(Math.min(end, Math.max(timer, this.now + step)) - this.now)
    }
  }

  /** IDs of the authorities that every webhook of the injector trusts. */
  get trusted(): Set<string> {
    const bundles = this.configurations.flatMap(({ webhooks }) =>
      webhooks.map(({ caBundle }) => this.pki.parseAuthorities(caBundle).map(({ id }) => id)),
    )
    return new Set((bundles[0] ?? []).filter((id) => bundles.every((ids) => ids.includes(id))))
  }

  /** Someone else changes a configuration. */
  interfere(number: number, change: (configuration: ClusterConfiguration) => ClusterConfiguration): void {
    const index = number % this.configurations.length
    this.configurations[index] = change(this.configurations[index]!)
    this.interference = ++this.change
    this.trustedBefore = []
    this.configurationsChanged()
  }

  setBundle(number: number, webhook: number, caBundle: string): void {
    this.interfere(number, (configuration) =>
      changed(++this.change, configuration, () => ({ caBundle }), webhook % configuration.webhooks.length),
    )
  }

  setSegment(number: number, webhook: number, segment: string | undefined): void {
    this.interfere(number, (configuration) =>
      changed(++this.change, configuration, () => ({ segment }), webhook % configuration.webhooks.length),
    )
  }

  /** What callers call. */
  get calls(): Call[] {
    return this.configurations.flatMap(({ webhooks }) => webhooks.map(({ path, segment }) => ({ path, segment })))
  }

  recreateConfiguration(number: number): void {
    this.interfere(number, ({ id }) => newConfiguration(++this.change, id))
  }

  /** Someone else changes the Secret. */
  setSecret(data: Record<string, string> | undefined): void {
    this.secret = data && { resourceVersion: String(++this.change), data }
    this.notify()
  }

  newSegment(): string {
    return this.pki.createSegment()
  }

  foreignAuthority(): string {
    return this.pki.newAuthority(this.lifetimes.authorityMs * 3).pem
  }

  /** Authorities that issued a certificate while none was valid, so that waiting would not have helped. */
  get urgent(): ReadonlySet<string> {
    return this.pki.urgent
  }

  private connection(replica: Replica): ClusterCertificates {
    return {
      read: async () => {
        const at = this.change
        const secret = await this.travel(replica, () => structuredClone(this.secret))
        const [configurations, seen] = await this.travel(
          replica,
          () => [structuredClone(this.configurations), this.trustedSince] as const,
        )
        Object.assign(replica, { read: at, seen })
        return { configurations, secret }
      },
      writeSecret: (read, data) =>
        this.travel(replica, () => {
          if (this.secret?.resourceVersion !== read.resourceVersion) return false
          this.checkSettled('issued', replica, this.leafIn(data), this.leafIn(this.secret.data))
          this.setSecret({ ...this.secret.data, ...data })
          return true
        }),
      writeBundle: (read, caBundle, segments) =>
        this.travel(replica, () => {
          const index = this.configurations.findIndex(({ id }) => id === read.id)
          const live = this.configurations[index]
          if (live?.resourceVersion !== read.resourceVersion) return false
          const calls = this.calls.filter(({ segment }) => segment !== undefined)
          this.trustedBefore.push({ trusted: this.trusted, calls, until: this.now })
          this.change++
          this.configurations[index] = changed(++this.change, live, ({ name }) => ({
            caBundle,
            segment: segments[name],
          }))
          this.configurationsChanged()
          return true
        }),
      watch: (changed) => {
        this.watchers.push({ replica, changed })
        return () => undefined
      },
    }
  }

  /** To the API server and back; either way may take any time, or fail. */
  private async travel<T>(replica: Replica, act: () => T): Promise<T> {
    await this.queue(replica)
    const result = act()
    await this.queue(replica)
    return result
  }

  private queue(replica: Replica): Promise<void> {
    return new Promise((resolve, reject) => {
      if (replica.alive) this.waiting.push({ replica, go: resolve, lose: () => reject(new Error('connection lost')) })
    })
  }

  /** A certificate of another authority takes the place of a good one only once that authority has settled. */
  private checkSettled(verb: string, { seen }: Replica, next: Leaf | undefined, last: Leaf | undefined): void {
    if (!next || !last || next.authority === last.authority || last.notAfter <= this.now) return
    if (!seen.has(last.authority) && seen.has(next.authority)) return
    const since = seen.get(next.authority)
    if (since !== undefined && since + this.lifetimes.propagationMs <= this.now) return
    this.tooEarly.push(
      `${verb} ${next.id} of ${next.authority}, trusted ${since === undefined ? 'by no caller' : `for ${this.now - since} ms`}`,
    )
  }

  private leafIn(data: Readonly<Record<string, string>>): Leaf | undefined {
    const authorities = this.pki.parseAuthorities(data['ca.crt'] ?? '')
    return this.pki.parseLeaf({
      certificate: data['tls.crt'] ?? '',
      key: data['tls.key'] ?? '',
      names: [],
      authorities,
    })
  }

  private configurationsChanged(): void {
    this.trustedSince = new Map([...this.trusted].map((id) => [id, this.trustedSince.get(id) ?? this.now]))
    this.notify()
  }

  private notify(): void {
    for (const { replica, changed } of this.watchers) this.waiting.push({ replica, go: changed, lose: () => undefined })
  }

  private wait(pause: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const timer = { at: this.now + pause, ring: resolve }
      this.timers.push(timer)
      signal.addEventListener('abort', () => {
        this.timers = this.timers.filter((other) => other !== timer)
        resolve()
      })
    })
  }
}
