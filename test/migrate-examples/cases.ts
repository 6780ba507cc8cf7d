import type { Manifest } from '../../cli/documents.ts'
import { templateIn } from '../../cli/inject.ts'
import { hasCsiVolume, type CsiPod } from '../../cli/migrate-pod.ts'
import type { Group } from './manifests.ts'

/** A pod with the driver's volumes, its classes, and what else is with it. */
export interface Case {
  place: string
  /** The pod's, or the class's if no pod of the examples mounts it. */
  name: string
  pod: Manifest
  classes: Manifest[]
  others: Manifest[]
}

const nameOf = ({ metadata }: Manifest): string => metadata?.name ?? ''
const isAzure = ({ kind, spec }: Manifest): boolean =>
  kind === 'SecretProviderClass' && (spec as { provider?: string } | undefined)?.provider === 'azure'
const podOf = (manifest: Manifest): CsiPod => templateIn({ manifest, path: [] })?.value ?? {}
const classNames = (manifest: Manifest): string[] =>
  (podOf(manifest).spec?.volumes ?? []).flatMap(({ csi }) => csi?.volumeAttributes?.secretProviderClass ?? [])

/** Each case has a vault of its own, whatever the examples call theirs. */
function inOwnVault(one: Case, index: number): Case {
  const classes = structuredClone(one.classes)
  for (const { spec } of classes) {
    const { parameters } = spec as { parameters?: { keyvaultName?: string } }
    if (parameters?.keyvaultName !== undefined) parameters.keyvaultName = `examples-${index + 1}`
  }
  return { ...one, classes }
}

/**
 * Returns one case for each pod that mounts classes of the Azure provider, and one for each class that no pod in its group mounts. A class
 * that is not in the pod's group is taken from another one.
 */
export function casesOf(groups: readonly Group[]): Case[] {
  const everywhere = groups.flatMap(({ manifests }) => manifests.filter(isAzure))
  const cases = groups.flatMap(({ place, manifests }) => {
    const classes = manifests.filter(isAzure)
    const pods = manifests.filter((one) => hasCsiVolume(podOf(one)))
    const others = manifests.filter((one) => one.kind !== 'SecretProviderClass' && !pods.includes(one))
    const mounted = new Set<Manifest>()
    const ofPods = pods.flatMap((pod): Case[] => {
      const found = classNames(pod).map((name) => [...classes, ...everywhere].find((one) => nameOf(one) === name))
      const known = found.filter((one) => one !== undefined)
      for (const one of known) mounted.add(one)
      // Of other providers, or in none of the examples.
      if (known.length < found.length || known.length === 0) return []
      return [{ place, name: `${pod.kind} ${nameOf(pod)}`, pod, classes: [...new Set(known)], others }]
    })
    const unmounted = classes.filter((one) => !mounted.has(one))
    return [
      ...ofPods,
      ...unmounted.map((one) => ({
        ...{ place, name: `class ${nameOf(one)}`, pod: podFor(nameOf(one), one.metadata?.namespace) },
        ...{ classes: [one], others: [] },
      })),
    ]
  })
  return cases.map(inOwnVault)
}

/** The pod that pages describe for a class that they show alone. */
const podFor = (className: string, namespace: string | undefined): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'app', ...(namespace === undefined ? {} : { namespace }) },
  spec: {
    containers: [
      {
        name: 'app',
        image: 'app:1',
        volumeMounts: [{ name: 'secrets', mountPath: '/mnt/secrets-store', readOnly: true }],
      },
    ],
    volumes: [
      {
        name: 'secrets',
        csi: {
          driver: 'secrets-store.csi.k8s.io',
          readOnly: true,
          volumeAttributes: { secretProviderClass: className },
        },
      },
    ],
  },
})
