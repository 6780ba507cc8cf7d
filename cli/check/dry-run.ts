import {
  annotationPrefix,
  initContainer,
  sidecarContainer,
  standbyAnnotation,
  workloadIdentityLabel,
} from '../../shared/names.ts'
import type { Configuration } from '../../webhook/configuration/configuration.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import type { Pod } from './objects.ts'
import type { Answer, Reader } from './reader.ts'

const { ok, warn, fail } = findingsOf('dry-run')
const versions = findingsOf('versions')

export interface DryRunOptions {
  namespace: string
  /** The vault that the pod requests an object of. Nothing is read from it. */
  vault: string
  /** The version of this command. */
  version: string
  configuration: Configuration | undefined
}

const fields = {
  metadata: { annotations: { [`${annotationPrefix}*`]: true } },
  spec: { initContainers: { name: true, image: true }, containers: { name: true, image: true } },
} as const

/** Has the API server admit a pod that requests a secret, without creating it. */
export async function checkDryRun(
  reader: Reader,
  installation: Installation,
  options: DryRunOptions,
): Promise<Finding[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}/pods?dryRun=All`
  const pod = dryRunPod(options, installation.container.image ?? 'akv-injector')
  return judgeDryRun(installation, options, await reader.post<Pod>(path, pod, fields))
}

/** Returns a pod that Pod Security `restricted` and a ResourceQuota accept. */
function dryRunPod({ namespace, vault }: DryRunOptions, image: string): object {
  const anyId = '00000000-0000-0000-0000-000000000000'
  const annotations = { vault, objects: 'check', 'client-id': anyId, 'tenant-id': anyId }
  const resources = { cpu: '10m', memory: '16Mi' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'akv-injector-check',
      namespace,
      labels: { [workloadIdentityLabel]: 'true' },
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]),
      ),
    },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'app',
          image,
          resources: { requests: resources, limits: resources },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  }
}

export function judgeDryRun(installation: Installation, options: DryRunOptions, answer: Answer<Pod>): Finding[] {
  const place = `a pod in namespace ${options.namespace}`
  return answer.kind === 'refused'
    ? [judgeRefusal(place, answer.said)]
    : judgePod(place, installation, options, answer.value)
}

/** What the API server says of a webhook that it could not call, and what to do. */
const unreachable: readonly (readonly [RegExp, string])[] = [
  [/x509|certificate/i, 'see the findings about registrations and the certificate'],
  [/no endpoints|not found/i, 'see the findings about the Deployments: no pod of the Service is ready'],
  [
    /refused|timeout|deadline|no route|EOF|reset/i,
    'check NetworkPolicies and the firewall between the control plane and port 8443 of the pods',
  ],
]

function judgeRefusal(place: string, said: string): Finding {
  if (/cannot create resource "pods"/.test(said)) return findingsOf('dry-run').unread(place, said)
  const failed = /failed calling webhook "([\w.-]*azure\.keyvault\.injector)"/.exec(said)
  if (failed !== null)
    return fail(
      place,
      `the API server cannot call the injector: ${said}`,
      unreachable.find(([pattern]) => pattern.test(said))?.[1] ?? 'see the findings about the Deployments',
    )
  if (/webhook "[\w.-]*azure\.keyvault\.injector" denied the request/.test(said))
    return warn(
      place,
      `the injector answers, but denies the pod: ${said}`,
      'name a vault that the namespace may use with --vault, or another namespace with --namespace',
    )
  return warn(place, `something else rejects the pod: ${said}`, 'name another namespace with --namespace')
}

function judgePod(
  place: string,
  { sidecarImage, container }: Installation,
  { configuration, version }: DryRunOptions,
  { metadata, spec }: Pod,
): Finding[] {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const sidecar = containers.find(({ name }) => name === sidecarContainer || name === initContainer)
  if (sidecar === undefined && configuration?.report === true)
    return [
      warn(place, "is not injected, because the administrator's file has report: true", 'remove it to inject pods'),
    ]
  if (sidecar === undefined)
    return [
      fail(
        place,
        'requests a secret and is admitted without a sidecar, so that neither the webhook nor the guard was called',
        'see the findings about registrations',
      ),
    ]
  const findings: Finding[] = []
  const { [standbyAnnotation]: by, [`${annotationPrefix}version`]: injector } = metadata.annotations ?? {}
  if (by !== undefined)
    findings.push(
      fail(
        place,
        'is injected by the standby, so that the webhook does not answer the API server',
        'kubectl logs of the Deployment akv-injector; check its Service, NetworkPolicies and caBundle of the entry inject',
      ),
    )
  else findings.push(ok(place, 'gets the sidecar'))
  if (injector !== undefined && injector !== version)
    findings.push(
      versions.warn(
        'webhook',
        `is version ${injector}, and this command is ${version}, which may expect something else`,
        `run the command of version ${injector}`,
      ),
    )
  const image = configuration && (configuration.image ?? sidecarImage ?? container.image)
  if (image !== undefined && sidecar.image !== image)
    findings.push(
      versions.fail(
        'sidecar',
        `new pods get the image ${sidecar.image ?? 'none'} instead of ${image}`,
        "wait a minute after a change of the administrator's file, and see the log of the webhook",
      ),
    )
  else if (sidecar.image !== undefined) findings.push(versions.ok('sidecar', `new pods get ${sidecar.image}`))
  return findings
}
