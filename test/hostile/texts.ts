import type { Limits } from '../../shared/kubernetes/limit-range.ts'
import type { RandomInteger } from '../support/seeded-random.ts'
import { annotated } from '../webhook/review-app.ts'
import { documents, templates } from './text-shapes.ts'

/** What a tenant writes into a cluster to be reviewed. */
export interface Attack {
  pod?: object
  namespace?: object
  /** The ServiceAccount's. */
  annotations?: Record<string, string>
  classes?: Record<string, unknown>
  limitRanges?: Limits[]
  configuration?: object
}

const prefix = 'azure.keyvault.injector/'
const kilobytes = (characters: number, most: number): number => Math.min(characters, most)
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const classOf = (objects: string, parameters: object = {}) => ({
  provider: 'azure',
  parameters: { keyvaultName: 'my-kv', objects, ...parameters },
})
const withClasses = (classes: Record<string, unknown>): Attack => ({
  pod: annotated({ 'secret-provider-class': Object.keys(classes).join(',') }),
  classes,
})
const quantities = (count: number) => Object.fromEntries(many(count, (index) => [`example.com/${index}`, '1']))

/** Everything else that a tenant writes; the number says how many characters there may be. */
const others: Record<string, (characters: number, random: RandomInteger) => Attack> = {
  'an objects document that is as large as is read': () => ({
    pod: annotated({
      objects: many(420, (index) => `- {name: object-${index}, type: secret, path: files/${index}}\n`).join(''),
    }),
  }),
  'objects of the Namespace and of the pod': () => {
    const objects = many(420, (index) => `- {name: object-${index}, type: secret, path: files/${index}}\n`).join('')
    return {
      pod: annotated({ objects: `# pod\n${objects}` }),
      namespace: { annotations: { [`${prefix}objects`]: `# namespace\n${objects}` } },
    }
  },
  'twenty classes as large as is read': () =>
    withClasses(
      Object.fromEntries(
        many(20, (index) => [
          `kv-${index}`,
          classOf(
            `array:\n${many(400, (item) => `  - |\n    objectName: o-${index}-${item}\n    objectType: secret\n`).join('')}`,
          ),
        ]),
      ),
    ),
  'a class whose objects are long texts': (characters) =>
    withClasses({
      kv: classOf(`array:\n${many(30, () => `  - "${'[a,'.repeat(kilobytes(characters, 60_000) / 90)}"\n`).join('')}`),
    }),
  'a class of parameters that are not known': (characters) =>
    withClasses({
      kv: classOf('array: []', Object.fromEntries(many(characters / 20, (index) => [`keyvaultNam${index}`, 'x']))),
    }),
  'a class with long parameters': (characters) =>
    withClasses({
      kv: classOf(
        'x',
        Object.fromEntries(
          ['keyvaultName', 'clientID', 'tenantID', 'cloudName', 'useVMManagedIdentity'].map((name) => [
            name,
            'a'.repeat(characters),
          ]),
        ),
      ),
    }),
  'annotations that are not known': (characters) => ({
    pod: annotated(Object.fromEntries(many(characters / 60, (index) => [`signal-containe-${index}`, 'x']))),
  }),
  'annotations of others': (characters) => ({
    pod: annotated(
      Object.fromEntries(many(characters / 50, (index) => [`annotations.example.com/number-${index}`, 'some text'])),
    ),
  }),
  'ports that a mesh leaves out': (characters) => ({
    pod: annotated({ 'traffic.sidecar.istio.io/excludeOutboundPorts': '1,'.repeat(characters / 2) }),
    configuration: { classicMesh: 'istio' },
  }),
  'containers that the workload identity webhook skips': (characters) => ({
    pod: annotated(
      {
        'mount-path': '/run',
        'azure.workload.identity/skip-containers': `${'a;'.repeat(characters / 3)}${many(500, (index) => `c${index}`).join(';')}`,
      },
      { containers: many(500, (index) => ({ name: `c${index}` })) },
    ),
  }),
  'templates in annotations': (characters) => ({
    pod: annotated(Object.fromEntries(many(characters / 60, (index) => [`template-${index}`, '{{ x }}']))),
  }),
  'as many templates as are read': (characters) => ({
    pod: annotated(
      Object.fromEntries(
        many(90, (index) => [`template-${index}`, '{{ x }}'.repeat(kilobytes(characters, 60_000) / 700)]),
      ),
    ),
  }),
  'names of containers': (characters) => ({ pod: annotated({ containers: 'c,'.repeat(characters / 2) }) }),
  'names of containers that are nearly there': () => ({
    pod: annotated(
      { containers: many(500, (index) => `${'container-'.repeat(5)}x${index}`).join(',') },
      { containers: many(499, (index) => ({ name: `${'container-'.repeat(5)}${index}` })) },
    ),
  }),
  'names of classes': (characters) => ({ pod: annotated({ 'secret-provider-class': 'c,'.repeat(characters / 2) }) }),
  'a long name of a class': (characters) => ({
    pod: annotated({ 'secret-provider-class': `${'a-'.repeat(characters / 2)}!` }),
  }),
  'a long duration': (characters) => ({ pod: annotated({ 'poll-interval': '1m1s'.repeat(characters / 4) }) }),
  'a duration of digits': (characters) => ({ pod: annotated({ 'poll-interval': '1'.repeat(characters) }) }),
  'a long quantity': (characters) => ({ pod: annotated({ 'limit-memory': `${'9'.repeat(characters)}Ti` }) }),
  'a long vault': (characters) => ({ pod: annotated({ vault: `https://${'a.'.repeat(characters / 2)}x` }) }),
  'a vault that a pattern looks through': (characters) => ({
    pod: annotated({ vault: `https://${'a'.repeat(characters - 100)}` }),
    configuration: { vaults: [{ namespaces: ['*'], vaults: ['https://*a*a*a*a*b.example'] }] },
  }),
  'a long URL to notify': (characters) => ({
    pod: annotated({ 'notify-url': `http://localhost/${'ä'.repeat(characters)}` }),
  }),
  'a long mount path': (characters) => ({ pod: annotated({ 'mount-path': `/${'a/'.repeat(characters / 2)}b` }) }),
  'annotations of a ServiceAccount': (characters) => ({
    annotations: {
      'azure.workload.identity/client-id': 'x'.repeat(characters),
      'azure.workload.identity/tenant-id': '-'.repeat(characters),
    },
  }),
  'annotations of a Namespace': (characters) => ({
    namespace: { annotations: Object.fromEntries(many(characters / 60, (index) => [`${prefix}signa-${index}`, 'x'])) },
  }),
  'a LimitRange of many kinds': (characters) => ({
    limitRanges: [{ name: 'x', type: 'Pod', max: quantities(characters / 25), min: quantities(characters / 25) }],
  }),
  'many LimitRanges': (characters) => ({
    limitRanges: many(characters / 100, (index) => ({
      name: `r-${index}`,
      type: index % 2 ? 'Pod' : 'Container',
      max: { cpu: '1m', memory: '1e99999' },
    })),
  }),
  'containers that request many kinds': (characters) => ({
    pod: annotated(
      {},
      {
        initContainers: many(400, (index) => ({
          name: `c${index}`,
          restartPolicy: 'Always',
          resources: {
            requests: Object.fromEntries(many(characters / 10_000, (kind) => [`example.com/${index}-${kind}`, '1'])),
          },
        })),
      },
    ),
    limitRanges: [{ name: 'x', type: 'Pod', max: { cpu: '1' } }],
  }),
  'as many containers as are looked at': () => ({
    pod: annotated(
      { signal: 'SIGHUP' },
      {
        containers: many(499, (index) => ({
          name: `c${index}`,
          volumeMounts: many(4, (mount) => ({ name: `v${mount}`, mountPath: `/${mount}` })),
        })),
      },
    ),
  }),
  'more containers than are looked at': (characters) => ({
    pod: annotated({}, { containers: many(characters / 30, (index) => ({ name: `c${index}` })) }),
  }),
  volumes: (characters) => ({
    pod: annotated({}, { volumes: many(characters / 40, (index) => ({ name: `v${index}`, emptyDir: {} })) }),
  }),
  mounts: (characters) => ({
    pod: annotated(
      {},
      {
        containers: [
          {
            name: 'app',
            volumeMounts: many(characters / 50, (index) => ({ name: 'v', mountPath: `/mnt/secrets/${index}` })),
          },
        ],
      },
    ),
  }),
  'long paths of mounts': (characters) => ({
    pod: annotated(
      {},
      {
        containers: [
          {
            name: 'app',
            volumeMounts: many(50, () => ({ name: 'v', mountPath: `/${'../'.repeat(characters / 200)}` })),
          },
        ],
      },
    ),
  }),
  'hooks that kill': (characters) => ({
    pod: annotated(
      { signal: 'SIGHUP' },
      {
        containers: [{ name: 'app', lifecycle: { preStop: { exec: { command: ['kill '.repeat(characters / 5)] } } } }],
      },
    ),
  }),
  'variables of a container with the name of the sidecar': (characters) => ({
    pod: annotated(
      {},
      {
        initContainers: [
          { name: 'akv-injector', env: many(characters / 40, (index) => ({ name: `V${index}`, value: 'x' })) },
        ],
      },
    ),
  }),
  'settings of a copy': (characters) => ({
    pod: annotated(
      {},
      {
        volumes: [{ name: 'akv-injector-secrets' }, { name: 'akv-injector-podinfo' }],
        initContainers: [
          {
            name: 'akv-injector',
            env: [
              {
                name: 'AKV_INJECTOR_SETTINGS',
                value: Buffer.from(JSON.stringify({ objects: many(characters / 12, () => 0) })).toString('base64url'),
              },
            ],
          },
        ],
      },
    ),
  }),
  'a pod of wrong fields': (characters) => ({
    pod: annotated({}, { containers: many(characters / 12, () => ({ name: 1 })) }),
  }),
  'a pod that nests': (characters) => ({
    pod: annotated({}, { x: JSON.parse('['.repeat(characters / 100) + ']'.repeat(characters / 100)) as unknown }),
  }),
}

/** Every attack by name, for about so many characters. */
export const shapesOf: Record<string, (characters: number, random: RandomInteger) => Attack> = {
  ...others,
  ...Object.fromEntries(
    Object.entries(documents).flatMap(
      ([name, shape]): [string, (characters: number, random: RandomInteger) => Attack][] => [
        [`objects: ${name}`, (characters, random) => ({ pod: annotated({ objects: shape(characters, random) }) })],
        // As much as is read at all.
        [
          `objects that are just read: ${name}`,
          (characters, random) => ({ pod: annotated({ objects: shape(kilobytes(characters, 65_000), random) }) }),
        ],
        [
          `objects that may be parsed: ${name}`,
          (characters, random) => ({ pod: annotated({ objects: shape(kilobytes(characters, 16_000), random) }) }),
        ],
        [
          `a class: ${name}`,
          (characters, random) => withClasses({ kv: classOf(shape(kilobytes(characters, 65_000), random)) }),
        ],
      ],
    ),
  ),
  ...Object.fromEntries(
    Object.entries(templates).flatMap(
      ([name, shape]): [string, (characters: number, random: RandomInteger) => Attack][] => [
        [
          `a template: ${name}`,
          (characters, random) => ({
            pod: annotated({ objects: 'a', 'template-x': shape(kilobytes(characters, 70_000), random) }),
          }),
        ],
        [
          `a template that may be read: ${name}`,
          (characters, random) => ({
            pod: annotated({ objects: 'a', 'template-x': shape(kilobytes(characters, 15_000), random) }),
          }),
        ],
      ],
    ),
  ),
}
