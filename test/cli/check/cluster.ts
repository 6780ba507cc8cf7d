import { join } from 'node:path'
import type { Test } from 'tap'
import { createAuthority, issueLeaf, serviceNames } from '../../../certs/authority.ts'
import { callSegment, createSegment } from '../../../certs/segments.ts'
import type { Finding } from '../../../cli/check/finding.ts'
import { runProgram } from '../../../cli/program.ts'
import { ApiError, TooLargeError, type Api, type ApiRequest, type ListRequest } from '../../../shared/kubernetes/api.ts'
import { readFields } from '../../../shared/kubernetes/json-fields.ts'
import { encode } from '../../../shared/kubernetes/responses.ts'
import { entryPath } from '../../../webhook/request/entry-paths.ts'
import { manifests, written, type Manifest } from '../../manifests/rendered.ts'
import type { Webhook } from '../../manifests/manifest-fields.ts'
import { isAllowed, type ReviewSpec } from './rbac.ts'

export const system = 'akv-injector-system'
/** A day after the certificate of the fixture was issued. */
export const now = Date.UTC(2026, 5, 2)
const issuedAt = now - 86_400_000
const lifetimeMs = 30 * 86_400_000

/** Text in the fixture that no command may print. */
export const canary = 'canary-7f3a'

/** The objects of a cluster by kind, namespace and name, as an API server would answer. */
export interface FakeCluster extends Api {
  objects: Manifest[]
  version: string
  /** The time of the command, in milliseconds since 1970. */
  now: number
  /** The answer to the dry run of a pod. */
  admit: () => unknown
  /** Logs by the path of the request. */
  logs: Map<string, object[]>
  /** Paths that the caller may not read, by a part of them; `$` stands for the end. */
  forbidden: string[]
  find: <T = Manifest>(kind: string, name: string) => T
  remove: (kind: string, name: string) => void
}

/** Returns the object of a kind, as a path of the API names it. */
const pluralOf = (kind: string): string => `${kind.toLowerCase().replace(/y$/, 'ie')}s`

/** Keys take a while to create, so all clusters of a test share them. */
const issued = issue()

async function issue() {
  const { authority, key } = await createAuthority({ now: issuedAt, lifetimeMs })
  const names = serviceNames({ names: ['akv-injector', 'akv-injector-standby'], namespace: system })
  return { authority, leaf: await issueLeaf({ authority, key, names, now: issuedAt, lifetimeMs }) }
}

/** A cluster with `manifests/base`, both halves available, a certificate, and the namespace `shop`, which is labeled. */
export async function createCluster(): Promise<FakeCluster> {
  const objects = structuredClone(written(join(manifests, 'base')))
  const { authority, leaf } = await issued
  const secret = find(objects, 'Secret', 'akv-injector-certificates')
  secret['data'] = { 'tls.crt': encode(leaf.pem), 'tls.key': encode(leaf.key), 'ca.key': encode(canary) }
  register(objects, encode(authority.pem))
  runHalves(objects)
  objects.push(
    object('ConfigMap', 'akv-injector-configuration', { data: { 'configuration.yaml': 'cloud: AzurePublicCloud\n' } }),
    object('Namespace', 'shop', {}, { 'azure.keyvault.injector/injection': 'enabled' }),
    object('Node', 'node-1', { status: { nodeInfo: { kubeletVersion: 'v1.37.0' } } }),
  )
  return createApi(objects)
}

const object = (kind: string, name: string, rest: object, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, labels, ...(kind === 'ConfigMap' ? { namespace: system } : {}) },
  ...rest,
})

/** Publishes the authority, and writes the paths with their secret segments, as the webhook does. */
function register(objects: readonly Manifest[], caBundle: string): void {
  const segment = createSegment()
  for (const one of objects) {
    for (const { name, clientConfig } of (one['webhooks'] ?? []) as Webhook[]) {
      const path = entryPath(one.kind, name) ?? ''
      clientConfig.caBundle = caBundle
      clientConfig.service.path = `/${callSegment(segment, path)}${path}`
    }
  }
}

/** Gives the standby the other half's pod template, as kustomize does, and makes both available. */
function runHalves(objects: readonly Manifest[]): void {
  interface Deployment extends Manifest {
    spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } }
  }
  const webhook = find<Deployment>(objects, 'Deployment', 'akv-injector')
  webhook.spec.template.spec.containers[0]?.env.push({ name: 'UNKNOWN', value: canary })
  const standby = find<Deployment>(objects, 'Deployment', 'akv-injector-standby')
  standby.spec.template = structuredClone(webhook.spec.template)
  for (const half of [webhook, standby]) half['status'] = { availableReplicas: 1, updatedReplicas: 1 }
}

function find<T = Manifest>(objects: readonly Manifest[], kind: string, name: string): T {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name)
  if (found === undefined) throw new Error(`the cluster has no ${kind} ${name}`)
  return found as T
}

function createApi(objects: Manifest[]): FakeCluster {
  const cluster: FakeCluster = {
    objects,
    version: 'v1.37.0',
    now,
    admit: () => admittedPod(),
    logs: new Map(),
    forbidden: [],
    find: (kind, name) => find(objects, kind, name),
    remove(kind, name) {
      objects.splice(objects.indexOf(find(objects, kind, name)), 1)
    },
    async call(request) {
      return keep(answer(cluster, pathOf(request), request), request)
    },
    async follow(request, each) {
      for (const line of cluster.logs.get(pathOf(request)) ?? []) each(keep(line, request), false)
    },
  }
  return cluster

  function pathOf({ path }: ApiRequest): string {
    const { pathname } = new URL(path, 'https://api')
    if (cluster.forbidden.some((part) => `${pathname}$`.includes(part)))
      throw new ApiError(403, `GET ${pathname}: 403`, `cannot get "${pathname}"`)
    return pathname
  }
}

function answer(cluster: FakeCluster, path: string, { method = 'GET', body, path: full }: ApiRequest): unknown {
  if (path === '/version') return { gitVersion: cluster.version }
  if (path.endsWith('/subjectaccessreviews')) {
    const { spec } = body as { spec: ReviewSpec }
    return { status: { allowed: isAllowed(cluster.objects, spec) } }
  }
  if (method === 'POST') return cluster.admit()
  const [, namespace, plural = '', name] =
    /^\/(?:api|apis\/[^/]+)\/v1(?:\/namespaces\/([^/]+)(?=\/\w))?\/(\w+)(?:\/([^/]+))?$/.exec(path) ?? []
  const all = cluster.objects.filter(
    ({ kind, metadata }) => pluralOf(kind) === plural && (namespace === undefined || metadata.namespace === namespace),
  )
  if (name === undefined) return { items: all.filter(selected(full)), metadata: {} }
  const found = all.find(({ metadata }) => metadata.name === decodeURIComponent(name))
  if (found === undefined) throw new ApiError(404, `GET ${path}: 404`, 'not found')
  return found
}

/** Whether an object has the labels that a list selects: `NAME=VALUE` or `NAME in (VALUE,VALUE)`. */
function selected(path: string): (one: Manifest) => boolean {
  const text = new URL(path, 'https://api').searchParams.get('labelSelector')
  const [, name = '', value, values] = /^([^= ]+)(?:=(.*)| in \((.*)\))$/.exec(text ?? '') ?? []
  const allowed = values?.split(',') ?? [value]
  return ({ metadata }) => text === null || allowed.includes(metadata.labels?.[name])
}

/** Keeps the requested fields, as the real client does. */
function keep(value: unknown, request: ApiRequest | ListRequest): unknown {
  let kept: unknown
  const items = 'onItem' in request ? { items: 'items', onItem: request.onItem } : {}
  const push = readFields({
    fields: request.fields ?? true,
    limit: request.limit ?? Infinity,
    ...items,
    onValue(one, isCut) {
      if (isCut) throw new TooLargeError(`GET ${request.path}: the response is too large`)
      kept = one
    },
  })
  push(Buffer.from(JSON.stringify(value)))
  return kept
}

/** What the API server answers to a dry run with the webhook. */
export const admittedPod = (image = 'akv-injector:0.1.0', annotations: Record<string, string> = {}): object => ({
  metadata: { name: 'akv-injector-check', annotations: { 'azure.keyvault.injector/version': '0.1.0', ...annotations } },
  spec: { initContainers: [{ name: 'akv-injector', image }], containers: [{ name: 'app' }] },
})

export interface Outcome {
  out: string
  err: string
  code: number
  findings: Finding[]
}

/** Runs `akv-injector check` against the cluster, in both formats, and checks what must hold for every output. */
export async function runCheck(t: Test, cluster: FakeCluster, ...flags: string[]): Promise<Outcome> {
  const once = async (...more: string[]) => {
    const result = { out: '', err: '', code: 0 }
    await runProgram(['check', ...flags, ...more], {
      version: '0.1.0',
      read: () => Promise.reject(new Error('the command reads no file')),
      out: (text) => (result.out += text),
      err: (text) => (result.err += text),
      exit: (code) => (result.code = code),
      connect: async () => ({ ok: true, value: cluster }),
      now: () => cluster.now,
    })
    return result
  }
  const text = await once()
  const json = await once('-o', 'json')
  t.equal(json.code, text.code, 'both formats have the same exit code')
  t.notMatch(text.out + text.err + json.out, canary, 'no secret value is printed')
  const findings = text.code === 2 ? [] : (JSON.parse(json.out) as Finding[])
  for (const { status, remedy, help, place } of findings)
    t.equal(remedy !== undefined && help !== undefined, status !== 'OK', `${place} has a remedy unless it is OK`)
  return { ...text, findings }
}

/** The findings that are not OK, as `STATUS check: place: text`. */
export const wrong = ({ findings }: Outcome): string[] =>
  findings.flatMap(({ status, check, place, text }) =>
    status === 'OK' ? [] : [`${status} ${check}: ${place}: ${text}`],
  )
