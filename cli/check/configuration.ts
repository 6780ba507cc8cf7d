import { dirname, basename } from 'node:path/posix'
import { decode } from '../../shared/kubernetes/responses.ts'
import { parseConfiguration, type Configuration } from '../../webhook/configuration/configuration.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import type { Volume } from './objects.ts'
import type { Read, Reader } from './reader.ts'

const { ok, fail, unread } = findingsOf('configuration')

/** Mounted by the component for the coordinator. */
const coordinatorSecret = 'akv-injector-coordinator-certificate'

interface ConfigMap {
  data?: Record<string, string> | null
}

/** The administrator's file as it was read; without a configuration if it has a mistake or could not be read. */
export interface CheckedConfiguration {
  findings: Finding[]
  configuration: Configuration | undefined
}

/** Reads the administrator's file, and certificates that it names, from what the webhook's container mounts. */
export async function checkConfiguration(reader: Reader, installation: Installation): Promise<CheckedConfiguration> {
  const { namespace, configurationFile: file } = installation
  if (file === undefined) return judgeConfiguration(namespace, undefined, new Map())
  const maps = new Map<string, Read<ConfigMap>>()
  const within = `/api/v1/namespaces/${encodeURIComponent(namespace)}`
  for (const [mountPath, { configMap, secret }] of volumesOf(installation)) {
    if (configMap?.name !== undefined)
      maps.set(
        mountPath,
        await reader.get(`${within}/configmaps/${encodeURIComponent(configMap.name)}`, { data: true }),
      )
    // The coordinator's authority; nothing else of a Secret is kept.
    else if (secret?.secretName === coordinatorSecret)
      maps.set(
        mountPath,
        decoded(await reader.get(`${within}/secrets/${coordinatorSecret}`, { data: { 'ca.crt': true } })),
      )
  }
  return judgeConfiguration(namespace, file, maps)
}

/** Returns the volumes that the webhook's container mounts, by the folders at which they are. */
function volumesOf({ container, halves }: Installation): Map<string, Volume> {
  const { volumes = [] } = (halves.webhook ?? halves.standby)?.spec.template.spec ?? {}
  return new Map(
    (container.volumeMounts ?? []).flatMap(({ name, mountPath }) => {
      const volume = volumes.find((one) => one.name === name)
      return volume === undefined ? [] : [[mountPath, volume]]
    }),
  )
}

function decoded(read: Read<ConfigMap>): Read<ConfigMap> {
  if (read.kind !== 'found') return read
  const texts = Object.entries(read.value.data ?? {}).map(([key, text]) => [key, decode(text)])
  return { kind: 'found', value: { data: Object.fromEntries(texts) as Record<string, string> } }
}

/** @param maps the ConfigMaps by the folder at which they are mounted */
export function judgeConfiguration(
  namespace: string,
  file: string | undefined,
  maps: ReadonlyMap<string, Read<ConfigMap>>,
): CheckedConfiguration {
  const place = `administrator's file in ${namespace}`
  const parsed = (text: string, read?: (path: string) => string) => parseConfiguration(text, read)
  if (file === undefined) {
    const defaults = parsed('')
    return {
      findings: [ok(place, 'there is none, so that the defaults apply')],
      configuration: defaults.ok ? defaults.value : undefined,
    }
  }
  const none = (finding: Finding): CheckedConfiguration => ({ findings: [finding], configuration: undefined })
  const map = maps.get(dirname(file))
  if (map === undefined) return none(unread(place, `no ConfigMap is mounted at ${dirname(file)}`))
  if (map.kind === 'unread') return none(unread(place, map.reason))
  const text = map.kind === 'found' ? map.value.data?.[basename(file)] : undefined
  if (text === undefined)
    return none(fail(place, `the ConfigMap with ${basename(file)} does not exist`, 'kubectl apply -k your overlay'))

  let unreadable: string | undefined
  const result = parsed(text, (path) => {
    const other = maps.get(dirname(path))
    const content = other?.kind === 'found' ? other.value.data?.[basename(path)] : undefined
    if (content !== undefined) return content
    unreadable = path
    throw new Error(`${path} is not in a ConfigMap`)
  })
  if (result.ok) return { findings: [ok(place, 'has no mistake')], configuration: result.value }
  if (unreadable !== undefined) return none(unread(place, `it names ${unreadable}, which only the webhook can read`))
  const remedy = 'correct it; until then the running webhook uses the last good file'
  const findings = result.problems.slice(0, 10).map((problem) => fail(place, problem, remedy))
  return { findings, configuration: undefined }
}
