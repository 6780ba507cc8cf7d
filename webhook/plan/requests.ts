import { trusting } from '../../shared/clouds/trusting.ts'
import { annotationPrefix } from '../../shared/names.ts'
import type { PlanContext } from './context.ts'
import { checkFinds } from './finds.ts'
import { accountOf, resolveIdentity, type PodIdentity } from './identity.ts'
import type { PlanInputs } from './inputs.ts'
import { collectObjects, type CollectedObjects } from './objects.ts'
import { resolveClasses } from './secret-provider-class/resolve-classes.ts'
import { tokensOf, type ProjectedToken } from './tokens.ts'
import { resolveObjects } from './vault-rules.ts'

/** Every object that a pod requests, with the identities and tokens to fetch it. */
export interface Requests extends CollectedObjects {
  identity: PodIdentity
  tokens: ProjectedToken[]
  /** False if an annotation or a class could not be read, so that objects may be missing. */
  complete: boolean
}

/** Resolves the objects of the annotation `objects` and of the pod's SecretProviderClasses, and the identities that fetch them. */
export function resolveRequests(context: PlanContext, inputs: PlanInputs): Requests {
  const { values, configuration } = context
  const account = accountOf(context, inputs.serviceAccount)
  const requests = (name: Source): boolean => values[name] !== undefined || isUnreadable(context, name)
  const needsIdentity = requests('objects') || !requests('secret-provider-class')
  const identity = resolveIdentity(context, account, needsIdentity)
  const own = resolveObjects(context, identity)
  const ofClasses = resolveClasses(
    { ...context, identity, account, knownClasses: inputs.knownClasses ?? [] },
    inputs.secretProviderClasses ?? new Map(),
  )
  checkFinds(context)
  const requested = { objects: [...own.objects, ...ofClasses.objects], finds: own.finds }
  const collected = collectObjects(requested, (cloud) => trusting(cloud, configuration.caCertificates))
  return {
    ...collected,
    identity,
    tokens: tokensOf(identity, collected.identities, collected.clouds),
    complete: ofClasses.complete && !sources.some((name) => isUnreadable(context, name)),
  }
}

/** The annotations that request objects. */
const sources = ['objects', 'secret-provider-class'] as const
type Source = (typeof sources)[number]

/** Whether the pod or its Namespace has the annotation with a value that could not be read. */
const isUnreadable = ({ pod, namespace, values }: PlanContext, name: Source): boolean =>
  values[name] === undefined &&
  [pod.metadata?.annotations ?? {}, namespace.annotations].some((on) => Object.hasOwn(on, annotationPrefix + name))
