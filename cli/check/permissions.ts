import { eachAtMost } from '../../shared/concurrency.ts'
import { expectedPermissions, type Permission } from './expected.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import type { Reader } from './reader.ts'

const { ok, fail, unread } = findingsOf('permissions')
const mostRequests = 8

/** The attributes of a request that the authorizer is asked about. */
export interface Attributes {
  verb: string
  group: string
  resource: string
  namespace?: string
  name?: string
}

/** The same for a path that is no resource. */
export interface PathAttributes {
  verb: string
  path: string
}

/** Returns everything that the webhook of an installation has to be allowed to do. */
export function neededPermissions({ namespace, platform }: Installation): Attributes[] {
  const { certificates, mutating, validating } = platform
  const isMounted = 'folder' in certificates
  return expectedPermissions.flatMap(({ verb, group, resource, scope, named }: Permission) => {
    // Somebody else writes the certificate and publishes it.
    if (isMounted && (named === 'certificates' || (named === 'registrations' && verb === 'patch'))) return []
    const attributes = { verb, group, resource, ...(scope === 'own' ? { namespace } : {}) }
    if (named === undefined) return [attributes]
    if (named === 'certificates') return [{ ...attributes, name: isMounted ? '' : certificates.secretName }]
    const names = resource.startsWith('mutating') ? mutating : validating
    return names.map((name) => ({ ...attributes, name }))
  })
}

interface Review {
  status?: { allowed?: boolean }
}

/** Who needs permissions, and for what. */
export interface Account {
  namespace: string
  serviceAccount: string
  /** The program, as a sentence names it. */
  program: string
}

/** Asks the API server about each permission of a ServiceAccount. */
export async function checkPermissions(
  reader: Reader,
  { namespace, serviceAccount, program }: Account,
  needed: readonly (Attributes | PathAttributes)[],
): Promise<Finding[]> {
  const user = `system:serviceaccount:${namespace}:${serviceAccount}`
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  const missing: (Attributes | PathAttributes)[] = []
  let refusal: string | undefined
  await eachAtMost(mostRequests, needed, async (one) => {
    const attributes = 'path' in one ? { nonResourceAttributes: one } : { resourceAttributes: one }
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, ...attributes },
    }
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
    const answer = await reader.post<Review>(path, body, { status: { allowed: true } })
    if (answer.kind === 'refused') {
      refusal = answer.said
      return 'stop'
    }
    if (answer.value.status?.allowed !== true) missing.push(one)
    return undefined
  })
  const place = `ServiceAccount ${namespace}/${serviceAccount}`
  const findings = [
    ...judgePermissions(
      place,
      missing.filter((one): one is Attributes => !('path' in one)),
    ),
    ...missing.flatMap((one) =>
      'path' in one
        ? [fail(place, `may not ${one.verb} ${one.path}`, 'bind it to a ClusterRole that allows this')]
        : [],
    ),
  ]
  if (refusal !== undefined) findings.push(unread(place, refusal))
  return findings.length > 0
    ? findings
    : [ok(place, `has each of the ${needed.length} permissions that ${program} needs`)]
}

const judgePermissions = (place: string, missing: readonly Attributes[]): Finding[] =>
  [...Map.groupBy(missing, resourceOf)].map(([resource, all]) => {
    const verbs = [...new Set(all.map(({ verb }) => verb))].sort().join(', ')
    const namespaced = all[0]?.namespace === undefined ? '' : ` in namespace ${all[0].namespace}`
    return fail(
      place,
      `may not ${verbs} ${resource}${namespaced}`,
      'kubectl apply -k your overlay: the ClusterRoles and Roles of the manifests grant it',
    )
  })

function resourceOf({ group, resource, name }: Attributes): string {
  const full = group === '' ? resource : `${resource}.${group}`
  return name === undefined ? full : `${full} "${name}"`
}
