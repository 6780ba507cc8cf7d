import t from 'tap'
import { workloadIdentityLabel } from '../../shared/names.ts'
import { annotated, appFor, reviewOf } from '../webhook/review-app.ts'
import { compareBlocks, shortestBlock } from './longest-block.ts'
import { goldenReviews, nowhere } from './reviewing.ts'

/*
 * A pod as large as the API server takes, 3 MiB, is parsed by the engine in one go. Nothing that the webhook does with any part of it may
 * take much longer than that: the longest block of the event loop is at most what the largest golden pods may take, and twice the time
 * that the engine takes to parse the worst body.
 */
const mostBytes = 3 * 1024 * 1024
const mostValues = 200_000
const tries = 3

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const fields = (count: number, value: unknown = 'v') =>
  Object.fromEntries(many(count, (index) => [`key-${index}`, value]))
const container = (rest: object) => ({ containers: [{ name: 'app', ...rest }] })
/** A pod with a sidecar that its author made up. */
const copy = (sidecar: object, volumes: object[] = []) => ({
  initContainers: [{ name: 'akv-injector', env: [{ name: 'AKV_INJECTOR_SETTINGS', value: 'x' }], ...sidecar }],
  volumes: [{ name: 'akv-injector-secrets' }, { name: 'akv-injector-podinfo' }, ...volumes],
})

/** Makes the spec of a pod from how many JSON values there may be. */
const specs: Record<string, (values: number) => object> = {
  'fields that are not known': (values) => ({ x: fields(values / 2) }),
  'objects that are not known': (values) => ({ x: many(values / 2, () => ({})) }),
  containers: (values) => ({ containers: many(values / 3, () => ({ name: 'a' })) }),
  'init containers': (values) => ({ initContainers: many(values / 3, () => ({ name: 'akv-injector' })) }),
  'ephemeral containers': (values) => ({ ephemeralContainers: many(values / 3, () => ({ name: 'akv-injector' })) }),
  volumes: (values) => ({ volumes: many(values / 6, () => ({ name: 'akv-injector-secrets', emptyDir: {} })) }),
  'node selector': (values) => ({ nodeSelector: fields(values / 2) }),
  'node affinity': (values) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: many(values / 8, () => ({ matchExpressions: [{ key: 'kubernetes.io/os' }] })),
        },
      },
    },
  }),
  'supplemental groups': (values) => ({ securityContext: { supplementalGroups: many(values, (index) => index) } }),
  'pull secrets': (values) => ({ imagePullSecrets: many(values / 3, () => ({ name: 'a' })) }),
  'resources of the pod': (values) => ({ resources: { limits: fields(values / 2, '1') } }),
  'resources of a container': (values) => container({ resources: { requests: fields(values / 2, 1) } }),
  'fields of the spec': (values) => fields(values / 2),
  'fields of a volume that is mounted often': (values) => ({
    ...container({ volumeMounts: many(400, (index) => ({ name: 'v', mountPath: `/mnt/secrets/${index}` })) }),
    volumes: [{ name: 'v', ...fields(values / 2.1) }],
  }),
  'fields of a container': (values) => container(fields(values / 2)),
  'resources of many containers': (values) => ({
    containers: many(400, (index) => ({ name: `c${index}`, resources: { limits: fields(values / 900, '1') } })),
  }),
  'variables of a container': (values) =>
    container({ env: many(values / 5, (index) => ({ name: `V${index}`, value: 'x' })) }),
  'ports of a container': (values) => container({ ports: many(values / 3, (index) => ({ containerPort: index })) }),
  'arguments of a container': (values) => container({ args: many(values, () => 'a') }),
  'devices of a container': (values) => container({ volumeDevices: many(values / 3, () => ({ devicePath: '/mnt' })) }),
  'a hook of many words': (values) =>
    container({ lifecycle: { preStop: { exec: { command: many(values, () => 'kill') } } } }),
  'capabilities of a container': (values) =>
    container({ securityContext: { capabilities: { add: many(values, () => 'A') } } }),
  'options for Windows': (values) => container({ securityContext: { windowsOptions: fields(values / 2) } }),
  'variables of the sidecar': (values) =>
    copy({ env: many(values / 5, () => ({ name: 'AKV_INJECTOR_SETTINGS', value: 'x' })) }),
  'mounts of the sidecar': (values) =>
    copy({ volumeMounts: many(values / 5, (index) => ({ name: `v${index}`, mountPath: '/x' })) }),
  'capabilities of the sidecar': (values) =>
    copy({ securityContext: { capabilities: { drop: many(values, () => 'A') } } }),
  'fields of the sidecar': (values) => copy(fields(values / 2)),
  'resources of the sidecar': (values) => copy({ resources: { limits: fields(values / 2, '1') } }),
  'resize policies of the sidecar': (values) =>
    copy({ resizePolicy: many(values / 5, () => ({ resourceName: 'cpu', restartPolicy: 'NotRequired' })) }),
  "volumes of the sidecar's": (values) =>
    copy({}, [{ name: 'akv-injector-token', projected: { sources: many(values / 3, () => ({ x: 1 })) } }]),
}
const metadata: Record<string, (values: number) => object> = {
  labels: (values) => ({ labels: { [workloadIdentityLabel]: 'true', ...fields(values / 2) } }),
  annotations: (values) => ({ annotations: fields(values / 2) }),
  owners: (values) => ({ ownerReferences: many(values / 3, () => ({ name: 'a' })) }),
}

const payloads: [name: string, pod: object][] = [
  ...Object.entries(specs).map(([name, make]): [string, object] => [
    name,
    annotated({ signal: 'SIGHUP' }, make(mostValues - 500)),
  ]),
  ...Object.entries(metadata).map(([name, make]): [string, object] => {
    const pod = annotated()
    const { annotations = {}, ...rest } = make(mostValues - 500) as { annotations?: object }
    return [
      name,
      { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...annotations }, ...rest } },
    ]
  }),
  ['one long text', annotated({}, { x: 'a'.repeat(mostBytes - 2_000) })],
  ['escapes', annotated({}, { x: '\u0001'.repeat((mostBytes - 2_000) / 6) })],
]
/** What is also tried as the template of a workload, whose containers get what the API server adds to those of pods. */
const asTemplates = ['containers', 'fields of a container', 'resources of many containers', 'variables of a container']
const workload = { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }

void t.test('event loop: no request body blocks it for longer than parsing takes', async (t) => {
  const golden = goldenReviews(t)
  for (let round = 0; round < 30; round++) for (const run of golden) await run()
  const worst = JSON.stringify(reviewOf(annotated({}, specs['fields that are not known']?.(mostValues - 500))))
  const measureBound = async (): Promise<number> => {
    let largest = 0
    for (const run of golden) largest = Math.max(largest, await shortestBlock(run, tries))
    return 10 * largest + 2 * (await shortestBlock(async () => void JSON.parse(worst), tries))
  }
  const comparison = await compareBlocks(measureBound, (bound) => bound, tries)
  t.comment(
    `ten times the largest golden pod, and twice parsing ${worst.length} bytes: ${comparison.base().toFixed(1)} ms`,
  )
  const { server } = appFor(t, { log: nowhere }, { log: nowhere })
  const slowest: [name: string, time: number][] = []
  for (const [name, pod] of payloads) {
    for (const url of asTemplates.includes(name) ? ['/mutate', '/validate'] : ['/mutate']) {
      const review = url === '/mutate' ? reviewOf(pod) : reviewOf({ spec: { template: pod } }, workload)
      const payload = JSON.stringify(review)
      const post = () =>
        server.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload })
      const { statusCode } = await post()
      t.equal(statusCode, 200, `${url}: ${name}`)
      const time = await comparison.block(post)
      slowest.push([`${url}: ${name}`, time])
      if (time > comparison.base()) t.fail(`${url}: ${name} of ${payload.length} bytes takes ${time.toFixed(1)} ms`)
    }
  }
  slowest.sort(([, one], [, other]) => other - one)
  t.comment(
    slowest
      .slice(0, 8)
      .map(([name, time]) => `${name} ${time.toFixed(1)} ms`)
      .join(', '),
  )
})
