import { splitPath } from '../../certs/segments.ts'
import { entryPath } from '../../webhook/request/entry-paths.ts'
import { expectedEntries, type ExpectedEntry } from './expected.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import { configurationFields, type Entry, type WebhookConfiguration } from './objects.ts'
import type { Read, Reader } from './reader.ts'

export type ConfigurationKind = keyof typeof expectedEntries
/** A webhook configuration that the installation names, as it was read. */
export interface Registration {
  kind: ConfigurationKind
  name: string
  read: Read<WebhookConfiguration>
}
/** An entry that the injector expects, as it is registered. */
export interface RegisteredEntry {
  place: string
  label: string
  entry: Entry
}

const { ok, warn, fail, unread } = findingsOf('registrations')
const apply = 'kubectl apply -k your overlay'

/** Reads every webhook configuration that the installation names. */
export function readRegistrations(reader: Reader, { platform }: Installation): Promise<Registration[]> {
  const read = async (kind: ConfigurationKind, name: string): Promise<Registration> => {
    const resource = `${kind.toLowerCase()}s`
    const path = `/apis/admissionregistration.k8s.io/v1/${resource}/${encodeURIComponent(name)}`
    return { kind, name, read: await reader.get<WebhookConfiguration>(path, configurationFields) }
  }
  return Promise.all([
    ...platform.mutating.map((name) => read('MutatingWebhookConfiguration', name)),
    ...platform.validating.map((name) => read('ValidatingWebhookConfiguration', name)),
  ])
}

export function judgeRegistrations(installation: Installation, registrations: readonly Registration[]): Finding[] {
  const findings = registrations.flatMap(({ kind, name, read }) => {
    const place = `${kind} ${name}`
    if (read.kind === 'missing') return [fail(place, 'does not exist', apply)]
    return read.kind === 'unread' ? [unread(place, read.reason)] : []
  })
  const isComplete = registrations.every(({ read }) => read.kind === 'found')
  const entries = entriesOf(registrations)
  for (const [kind, expected] of Object.entries(expectedEntries) as [ConfigurationKind, readonly ExpectedEntry[]][])
    for (const one of expected) {
      const found = entries.filter(({ place, label }) => place.startsWith(kind) && label === one.label)
      if (found.length === 0 && isComplete) findings.push(missingEntry(kind, one))
      findings.push(...found.flatMap((entry) => judgeEntry(installation, kind, one, entry)))
    }
  if (findings.length > 0) return findings
  const names = registrations.map(({ name }) => name)
  return [ok([...new Set(names)].join(', '), `${entries.length} entries call the injector and have a caBundle`)]
}

/** Returns the entries that were found, of all configurations. */
export const entriesOf = (registrations: readonly Registration[]): RegisteredEntry[] =>
  registrations.flatMap(({ kind, name, read }) =>
    read.kind !== 'found'
      ? []
      : (read.value.webhooks ?? []).flatMap((entry) => {
          const [label = ''] = entry.name.split('.', 1)
          const isOurs = expectedEntries[kind].some((one) => one.label === label)
          return isOurs ? [{ place: `${kind} ${name}, entry ${label}`, label, entry }] : []
        }),
  )

function missingEntry(kind: ConfigurationKind, { label, failurePolicy }: ExpectedEntry): Finding {
  const result =
    failurePolicy === 'Fail' ? 'pods that request secrets can start without them' : 'what it reviews is not reviewed'
  return fail(`${kind}, entry ${label}`, `is missing: ${result}`, apply)
}

function judgeEntry(
  { namespace, platform }: Installation,
  kind: ConfigurationKind,
  expected: ExpectedEntry,
  { place, label, entry }: RegisteredEntry,
): Finding[] {
  const findings: Finding[] = []
  const { caBundle = '', service } = entry.clientConfig
  const wanted = `${namespace}/${platform.services[expected.service] ?? platform.services[0]}`
  const called = service === undefined ? 'a URL' : `${service.namespace}/${service.name}`
  if (called !== wanted) findings.push(fail(place, `calls ${called} instead of the Service ${wanted}`, apply))
  if (caBundle === '')
    findings.push(
      fail(
        place,
        'has no caBundle, so that the API server cannot verify the webhook and does not call it',
        'folder' in platform.certificates
          ? "see the log of cert-manager's ca-injector, and the annotation cert-manager.io/inject-ca-from"
          : `kubectl logs -n ${namespace} -l app.kubernetes.io/name=akv-injector: the webhook writes it when it starts`,
      ),
    )
  const { failurePolicy = 'Fail' } = entry
  if (failurePolicy !== expected.failurePolicy) {
    const text = `has failurePolicy ${failurePolicy} instead of ${expected.failurePolicy}`
    if (expected.failurePolicy === 'Fail')
      findings.push(fail(place, `${text}: pods that request secrets can start without them`, apply))
    else findings.push(warn(place, `${text}: pods are rejected while its half of the injector is down`, apply))
  }
  const { own, segment } = splitPath(service?.path ?? '')
  if (own !== entryPath(kind, label))
    // The path itself may contain the secret segment.
    findings.push(fail(place, `calls another path than ${entryPath(kind, label) ?? ''}`, apply))
  else if (segment === undefined && !('folder' in platform.certificates))
    findings.push(
      fail(
        place,
        'has no secret segment in its path, so that the webhook rejects its calls',
        `kubectl logs -n ${namespace} -l app.kubernetes.io/name=akv-injector: the webhook writes it when it starts`,
      ),
    )
  return findings
}
