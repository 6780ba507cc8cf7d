import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { run } from './process.ts'

/** A call that the API server has answered or begun to answer. */
export interface Call {
  user: string
  verb: string
  uri: string
  /** As `permissionsOf` writes it; of what is no resource, the verb and the path. */
  permission: string
  /**
   * The authorizer's decision: `allow` or `forbid`. A rejection for another reason, such as a terminating namespace or too
   * many calls, is neither.
   */
  decision: string | undefined
  /** The status of the answer; absent until there is one. */
  code: number | undefined
  annotations: Record<string, string>
}

/** A line of the audit log. {@link https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/} */
interface Line {
  stage: string
  verb: string
  requestURI: string
  requestReceivedTimestamp: string
  user: { username: string }
  responseStatus?: { code?: number }
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string }
  annotations?: Record<string, string>
}

export interface Role {
  kind: string
  rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
}

/** The Roles and ClusterRoles in files of a folder. */
export const rolesIn = (folder: string, ...files: string[]): Role[] =>
  files
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), 'utf8')))
    .map((one) => one.toJS() as Role)
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')

const permission = (group: string, resource: string, verb: string): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}`

/** Each verb on each resource, such as `watch mutatingwebhookconfigurations.admissionregistration.k8s.io`. */
export const permissionsOf = (roles: readonly Role[]): string[] =>
  roles.flatMap(({ rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => permission(group, resource, verb))),
      ),
    ),
  )

/**
 * The calls since a time, by any caller.
 * @param command prints the API server's audit log, a JSON object a line; its words are split at blanks
 * @param since RFC 3339
 */
export async function readAudit(command: string, since: string): Promise<Call[]> {
  const [program = '', ...args] = command.split(/\s+/)
  const { code, stdout, stderr } = await run(program, args)
  if (code !== 0) throw new Error(`${command}: ${stderr}`)
  return stdout.split('\n').flatMap((text) => {
    // The beginning of the log may be cut off, and its end is being written.
    if (!text.startsWith('{') || !text.endsWith('}')) return []
    const {
      user,
      verb,
      requestURI,
      requestReceivedTimestamp,
      responseStatus,
      objectRef,
      annotations = {},
    } = JSON.parse(text) as Line
    if (Date.parse(requestReceivedTimestamp) < Date.parse(since)) return []
    const { apiGroup = '', resource = '', subresource } = objectRef ?? {}
    const name = subresource === undefined ? resource : `${resource}/${subresource}`
    const decision = annotations['authorization.k8s.io/decision']
    return [
      {
        user: user.username,
        verb,
        uri: requestURI,
        permission: permission(apiGroup, name === '' ? requestURI : name, verb),
        decision,
        code: responseStatus?.code,
        annotations,
      },
    ]
  })
}
