import type { Cloud } from '../shared/clouds.ts'
import { annotationPrefix } from '../shared/names.ts'
import { objectName, tooMany, type BundleFormat, type ObjectSpec } from '../shared/object-spec.ts'
import { treeProblems } from '../shared/paths.ts'
import { plannedFiles } from '../shared/settings-rules.ts'
import { bundleProblem } from '../shared/bundle.ts'
import { encodeSettings, maxEncodedSettings, type Settings } from '../shared/settings.ts'
import { TemplateEffort, templateProblems } from '../shared/template.ts'
import type { Configuration } from './configuration.ts'
import { resolveIdentity, type PodIdentity, type ServiceAccount } from './identity.ts'
import { gather } from './parties.ts'
import { tokensOf, withToken, type ProjectedToken } from './tokens.ts'
import { checkLimitRanges, type Limits } from './pod/limit-range.ts'
import { meshAnnotations } from './pod/mesh.ts'
import { resolveMode } from './pod/mode.ts'
import { checkMounts } from './pod/clashes.ts'
import { resolveContainers, sidecarMountPath } from './pod/mounts.ts'
import { serviceAccountName, type Pod } from './pod/pod.ts'
import { resolvePort } from './pod/port.ts'
import { checkKeys, checkReaders } from './pod/readers.ts'
import { resolveResources, type Resources } from './pod/resources.ts'
import { resolveUser, type SidecarUser } from './pod/security-context.ts'
import { resolveSignal } from './pod/signal-target.ts'
import { podTotals } from './pod/totals.ts'
import type { Notes } from './reasons.ts'
import { resolveClasses, type FoundClass } from './secret-provider-class/resolve-classes.ts'
import { resolveValues, type Values } from './values.ts'
import { resolveObjects } from './vaults.ts'

/** What is kept of a Namespace. */
export interface Namespace {
  name: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

/** Everything that is decided about a pod before it is changed. */
export interface Plan {
  settings: Settings
  /** The same for the sidecar's environment. */
  encodedSettings: string
  /** Where the app sees the files; the sidecar may have them elsewhere. */
  mountPath: string
  /** Added to the pod's, beside those that every injected pod gets. */
  annotations: Record<string, string>
  identity: PodIdentity
  /** Of the ServiceAccount, one for each audience; the first is that of the pod's own cloud. */
  tokens: ProjectedToken[]
  user: SidecarUser
  resources: Resources
  image: string
  hostNetwork: boolean
  configuration: Configuration
}

/** What a decision rests on beside the pod. */
export interface Surroundings {
  namespace: Namespace
  /** Absent where there is none of the pod's name. */
  serviceAccount?: ServiceAccount
  /** The SecretProviderClasses that the pod names. */
  secretProviderClasses?: ReadonlyMap<string, FoundClass>
  /** The namespace's, as far as they are about pods and containers. */
  limitRanges: readonly Limits[]
  configuration: Configuration
  /** Version of the oldest kubelet, where the administrator does not say it; absent where it is not known. */
  oldestKubelet?: string
  /** The sidecar's image, where the administrator does not say it. */
  image: string
  /** The injector's own. */
  version: string
}

/**
 * Decides everything about a pod that asked for injection. Problems go into `notes`, and then there is no plan.
 * @param earlier what an earlier pass decided: containers that were added since get no mount
 */
export function makePlan(
  pod: Pod,
  surroundings: Surroundings,
  earlier: Settings | undefined,
  notes: Notes,
): Plan | undefined {
  const { namespace, serviceAccount, configuration, image, version } = surroundings
  const { knownSidecars } = configuration
  const values = resolveValues(pod.metadata?.annotations ?? {}, namespace.annotations, configuration, notes)
  const mode = resolveMode(pod, values, configuration.oldestKubelet ?? surroundings.oldestKubelet, notes)
  const containers = resolveContainers(pod, values, knownSidecars, earlier?.admitted.containers, notes)
  checkMounts(pod, containers, values['mount-path'], notes)
  // Nothing runs after the start in the mode once, so there is nobody to tell.
  const signals = mode !== 'once' && values.signal !== undefined
  const target = signals ? resolveSignal(pod, values, knownSidecars, earlier?.notify.signal, notes) : undefined
  warnOfNoEffect(values, mode, notes)
  const user = resolveUser(pod, namespace, values, signals, target, notes)
  const resources = resolveResources(pod, values, configuration, notes)
  const classes = values['secret-provider-class'] ?? []
  const whereabouts = { namespace: namespace.name, accountName: serviceAccountName(pod), serviceAccount }
  const unreadable = (name: Source): boolean => isUnreadable(name, pod, namespace, values)
  const asksBy = (name: Source): boolean => values[name] !== undefined || unreadable(name)
  const needsIdentity = asksBy('objects') || !asksBy('secret-provider-class')
  const identity = resolveIdentity(pod, whereabouts, values, configuration, notes, needsIdentity)
  const own = resolveObjects(values, namespace.name, identity, configuration, notes)
  const ofClasses = resolveClasses(classes, surroundings.secretProviderClasses ?? new Map(), { identity, whereabouts, configuration, notes }) // prettier-ignore
  const { sources, clouds, identities, objects } = gather([...own, ...ofClasses.asked], (cloud) =>
    trusting(cloud, configuration.caCertificates),
  )
  const tokens = tokensOf(identity, identities, clouds)
  const objectsKnown = ofClasses.complete && !unreadable('objects') && !unreadable('secret-provider-class')
  const hostNetwork = pod.spec.hostNetwork ?? false
  const bound = configuration.bounds['poll-interval']
  const settings: Settings = {
    schema: 1,
    version,
    mountPath: sidecarMountPath(values['mount-path']),
    mode,
    clouds,
    identities: identities.map((one) => withToken(one, clouds, tokens)),
    objects,
    templates: { ...values.templates, ...values.objects?.templates },
    bundles: { ...values.bundles, ...values.objects?.bundles },
    fileMode: pod.spec.securityContext?.fsGroup === undefined ? 0o444 : 0o440,
    onDelete: values['on-delete'],
    pollInterval: values['poll-interval'],
    bounds: { pollInterval: { min: bound?.min ?? 0, max: bound?.max ?? Number.MAX_SAFE_INTEGER } },
    fullRefresh: configuration.fullRefresh,
    startupTimeout: values['startup-timeout'],
    expiryHorizon: configuration.expiryHorizon,
    logLevel: values['log-level'],
    ...(hostNetwork ? {} : { port: resolvePort(pod, configuration.sidecarPort) }),
    notify: {
      ...(target === undefined ? {} : { signal: target }),
      ...(values['notify-url'] === undefined ? {} : { url: values['notify-url'] }),
      splay: values.splay,
    },
    admitted: { containers },
  }
  // What is too large is not looked at for nothing.
  const isBounded = checkCounts(settings, notes)
  if (isBounded) {
    checkFiles(settings, values, sources, notes)
    checkReaders(pod, containers, settings, user, notes)
    checkKeys(pod, containers, settings, notes)
    checkFormats(settings, sources, notes)
  }
  const least = Object.values(settings.templates).reduce((sum, text) => sum + text.length, 0)
  const encodedSettings = isBounded && least <= maxEncodedSettings ? encodeSettings(settings) : ''
  const fits = checkSize(Math.max(least, encodedSettings.length), notes)
  if (isBounded && fits) checkContents(settings, objectsKnown, notes)
  checkLimitRanges(surroundings.limitRanges, resources, podTotals(pod, resources, mode), notes)
  const annotations = meshAnnotations(
    pod,
    settings,
    objectsKnown,
    { namespace: namespace.annotations, classicMesh: configuration.classicMesh },
    notes,
  )
  if (notes.problems.length > 0) return undefined
  return {
    settings,
    encodedSettings,
    mountPath: values['mount-path'],
    annotations,
    identity,
    tokens,
    user,
    resources,
    image: configuration.image ?? image,
    hostNetwork,
    configuration,
  }
}

const trusting = (cloud: Cloud, caCertificates: string | undefined): Cloud =>
  caCertificates === undefined
    ? cloud
    : { ...cloud, caCertificates: [cloud.caCertificates, caCertificates].filter(Boolean).join('\n') }

/** The annotations that say what is fetched. */
type Source = 'objects' | 'secret-provider-class'

/** Whether an annotation that holds for the pod has a value that could not be read. */
const isUnreadable = (name: Source, pod: Pod, { annotations }: Namespace, values: Values): boolean =>
  values[name] === undefined && [pod.metadata?.annotations ?? {}, annotations].some((on) => Object.hasOwn(on, annotationPrefix + name)) // prettier-ignore

function warnOfNoEffect(values: Values, mode: Settings['mode'], notes: Notes): void {
  for (const name of ['signal', 'notify-url'] as const) {
    if (mode === 'once' && values[name] !== undefined)
      notes.warn('no-effect', `${name} has no effect in mode once: nothing changes after the start`)
  }
  for (const name of ['signal-container', 'signal-process'] as const) {
    if (values.signal === undefined && values[name] !== undefined)
      notes.warn('no-effect', `${name} has no effect without the annotation signal`)
  }
}

/** Templates and bundles of a pod together. */
const maxTexts = 100

/** Whether there are no more objects, files and texts than are looked at. */
function checkCounts({ objects, templates, bundles }: Settings, notes: Notes): boolean {
  const texts = Object.keys(templates).length + Object.keys(bundles).length
  const problems = [
    tooMany(objects),
    texts > maxTexts ? `${texts} templates and bundles are more than a pod may have, ${maxTexts}` : undefined,
  ].filter((problem) => problem !== undefined)
  notes.problem('too-large', ...problems)
  return problems.length === 0
}

/** The annotation `objects` has been checked for itself; annotations of templates and bundles write into the same folder. */
function checkFiles(settings: Settings, values: Values, sources: ReadonlyMap<ObjectSpec, string>, notes: Notes): void {
  for (const kind of ['templates', 'bundles'] as const) {
    for (const path of Object.keys(values.objects?.[kind] ?? {})) {
      if (Object.hasOwn(values[kind] ?? {}, path))
        notes.problem('bad-annotation', `${kind}: "${path}" is written by the annotation objects and by one of its own`)
    }
  }
  const nameOf = (object: ObjectSpec): string => [objectName(object), sources.get(object)].filter(Boolean).join(' of ')
  notes.problem('bad-annotation', ...treeProblems(plannedFiles(settings, nameOf)))
}

/**
 * Whether what templates and bundles are made of is there.
 * @param objectsKnown otherwise a template is not wrong for naming one that is not among them
 */
function checkContents(settings: Settings, objectsKnown: boolean, notes: Notes): void {
  const effort = new TemplateEffort()
  for (const [path, text] of Object.entries(settings.templates)) {
    const found = templateProblems(text, objectsKnown ? settings.objects : undefined, effort)
    notes.problem('bad-annotation', ...found.map((problem) => `template "${path}", ${problem}`))
  }
  // Two bundles of one format have the same problem.
  const byFormat = new Map<BundleFormat, string | undefined>()
  for (const [path, format] of Object.entries(settings.bundles)) {
    if (!byFormat.has(format)) byFormat.set(format, bundleProblem(format, settings.objects))
    const problem = byFormat.get(format)
    if (problem !== undefined) notes.problem('bad-annotation', `bundle "${path}": ${problem}`)
  }
}

/** A PKCS#12 file is binary; without an encoding the vault's base64 text of it is written, as the CSI driver's provider does. */
function checkFormats({ objects }: Settings, sources: ReadonlyMap<ObjectSpec, string>, notes: Notes): void {
  const asText = objects.filter(({ format, encoding }) => format === 'pfx' && encoding === 'utf-8')
  for (const object of asText) {
    const spelled = sources.has(object) ? 'objectEncoding' : 'encoding'
    notes.warn('pfx-as-text', `${object.path}: format pfx is written as base64 text; set ${spelled}: base64 for the binary file`) // prettier-ignore
  }
}

/** Whether the settings are no larger than they may be. */
function checkSize(size: number, notes: Notes): boolean {
  if (size <= maxEncodedSettings) return true
  notes.problem('too-large', `objects, templates and certificates take ${Math.ceil(size / 1024)} KiB of the sidecar's settings, and ${maxEncodedSettings / 1024} KiB fit: shorten templates or split the pod's objects`) // prettier-ignore
  return false
}
