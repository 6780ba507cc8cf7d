import { annotationPrefix, workloadIdentityLabel } from '../../../shared/names.ts'
import { apply } from './kubectl.ts'

export const clientId = '22222222-2222-2222-2222-222222222222'
const appImage = process.env['E2E_APP_IMAGE'] ?? 'busybox:1.37'

/** The fields that Pod Security `restricted` requires of a pod and its containers. */
export const restrictedPod = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
export const restrictedContainer = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }

/** A ServiceAccount whose tokens sign in with the client ID that the emulator knows. */
export async function makeServiceAccount(
  namespace: string,
  name = 'app',
  client: string | null = clientId,
): Promise<void> {
  await apply({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name,
      namespace,
      annotations: client === null ? {} : { 'azure.workload.identity/client-id': client },
    },
  })
}

/** A container that runs JavaScript on the injector's own image, which has Node, and is ready once it listens. */
export const nodeContainer = (name: string, args: string[], port: number, more: object = {}): object => ({
  name,
  image: process.env['E2E_IMAGE'],
  imagePullPolicy: 'IfNotPresent',
  args,
  securityContext: restrictedContainer,
  readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  ...more,
})

export interface Container {
  name: string
  script: string
  [field: string]: unknown
}

/** A container that runs a shell script. The kubelet reads `$$` as `$` and expands `$(NAME)`: every `$` is doubled. */
export const container = ({ name, script, ...rest }: Container): object => ({
  name,
  image: appImage,
  imagePullPolicy: 'IfNotPresent',
  command: ['sh', '-c', script.replaceAll('$', () => '$$')],
  securityContext: restrictedContainer,
  ...rest,
})

/** Prints a line for every SIGHUP and runs forever; `first` runs before anything else. */
export const reloading = (first: string): string =>
  `${first}\ntrap 'echo reloaded: $(cat /mnt/secrets/db-password)' HUP\ntrap 'exit 0' TERM\necho running\nwhile :; do sleep 1 & wait $!; done`

/** Prints every file with its content, then `listed`, and runs forever. */
export const listing = `cd /mnt/secrets
for file in *; do echo "$file $(cat "$file")"; done
echo listed
while :; do sleep 1; done`

/** Prints the names and contents of all files whenever they change. */
export const watching = `
old=
while :; do
  cd /mnt/secrets/..data/
  now="$(for file in $(find . -type f ! -name '..*' | sort); do echo "$file=$(cat $file)"; done | tr '\\n' ' ')"
  [ "$now" = "$old" ] || echo "files $now."
  old="$now"
  sleep 1
done`

export interface PodOptions {
  containers: Container[]
  initContainers?: Container[]
  annotations?: Record<string, string>
  labels?: Record<string, string>
  spec?: object
}

/** Returns the injector's annotations as an object's metadata has them, given without their prefix. */
export const annotate = (annotations: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]))

/** A pod's metadata and spec that request injection and satisfy Pod Security `restricted`. */
export const podTemplate = ({
  containers,
  initContainers = [],
  annotations = {},
  labels = {},
  spec = {},
}: PodOptions) => ({
  metadata: { labels: { [workloadIdentityLabel]: 'true', ...labels }, annotations: annotate(annotations) },
  spec: {
    serviceAccountName: 'app',
    terminationGracePeriodSeconds: 1,
    securityContext: restrictedPod,
    initContainers: initContainers.map(container),
    containers: containers.map(container),
    ...spec,
  },
})

export function pod(namespace: string, name: string, options: PodOptions) {
  const { metadata, spec } = podTemplate(options)
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, ...metadata }, spec }
}

export function deployment(namespace: string, name: string, replicas: number, options: PodOptions) {
  const template = podTemplate({ ...options, labels: { app: name, ...options.labels } })
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: { app: name } }, template },
  }
}
