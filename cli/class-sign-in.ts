import { stringify } from 'yaml'
import { annotationPrefix } from '../shared/names.ts'
import { quote } from '../shared/messages.ts'
import type { ObjectRequest } from '../shared/objects/spec.ts'
import { readClass } from '../webhook/plan/secret-provider-class/read-class.ts'
import type { Manifest } from './documents.ts'

/** What the way to sign in of a SecretProviderClass means for a pod that moves to the injector. */
export interface ClassSignIn {
  /** Further annotations of the pod, with their prefixes. */
  annotations: Record<string, string>
  /** Annotations of the injector that say the same as the class, which the webhook would deny. */
  replacement?: Record<string, string>
  /** What a person should know or do, as sentences. */
  notes: string[]
}

/** The parameters as the Azure provider reads them, with Go's `strconv.ParseBool`. */
const isTrue = (text: unknown): boolean => typeof text === 'string' && /^(1|t|T|true|TRUE|True)$/.test(text.trim())

/**
 * Returns what a class's way to sign in changes. An identity binding is requested by an annotation of the pod. A class for AAD Pod Identity,
 * which no longer exists, is replaced by annotations: the class may have other pods and stays as it is.
 */
export function classSignIn({ metadata, spec }: Manifest): ClassSignIn {
  const name = metadata?.name ?? ''
  const { parameters = {}, ...rest } = (spec ?? {}) as { parameters?: Record<string, unknown> }
  if (isTrue(parameters['usePodIdentity'])) {
    const { usePodIdentity: _retired, ...others } = parameters
    const { value, objects, problems } = readClass(name, { ...rest, parameters: others })
    // The webhook names the problems of the class itself.
    const isKnown = value !== undefined && objects !== undefined && problems.length === 0
    // A format in annotations also applies to secrets that belong to no certificate, and that of a class does not.
    if (!isKnown || objects.some(({ format }) => format !== 'pem')) return { annotations: {}, notes: [] }
    const { vault, cloudName, tenantId, clientId } = value
    return {
      annotations: {},
      replacement: {
        vault,
        ...(cloudName === undefined ? {} : { cloud: cloudName }),
        ...(tenantId === undefined ? {} : { 'tenant-id': tenantId }),
        ...(clientId === undefined ? {} : { 'client-id': clientId }),
        objects: stringify(objects.map(written)),
      },
      notes: [
        `SecretProviderClass ${quote(name)} is for AAD Pod Identity, which is not supported: annotations replace it`,
      ],
    }
  }
  if (isTrue(parameters['useAzureTokenProxy']))
    return { annotations: { 'azure.workload.identity/use-identity-binding': 'true' }, notes: [] }
  return { annotations: {}, notes: [] }
}

/** An object as the annotation `objects` spells it, without what is the default there too. */
const written = ({ name, type, path, version, history, encoding, mode }: ObjectRequest): Record<string, unknown> => ({
  name,
  type,
  ...(path === name ? {} : { path }),
  ...(version === undefined ? {} : { version }),
  ...(history === 1 ? {} : { history }),
  ...(encoding === 'utf-8' ? {} : { encoding }),
  ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }),
})

/** Annotations of the injector, with its prefix. */
export const prefixed = (annotations: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]))
