import { join } from 'node:path'
import t from 'tap'
import { leaveOut } from '../../support/needs.ts'
import { permissionsOf, readAudit, rolesIn } from '../support/audit.ts'

const component = join(import.meta.dirname, '../../../manifests/components/coordinator')
const { E2E_AUDIT_LOG: command, E2E_STARTED: started = '', E2E_SCENARIOS: scenarios = '' } = process.env

/** Of its Roles, and what every ServiceAccount may read. */
const rights = [
  ...permissionsOf(rolesIn(component, 'rbac.yaml')),
  'get /openid/v1/jwks',
  'get /.well-known/openid-configuration',
]
/** The scenario that uses all of them by itself. */
const user = 'coordinator-lost'
const hasRun = scenarios === '' || scenarios.split(' ').some((name) => user.startsWith(name))

/** The namespace of a coordinator's ServiceAccount. */
const namespaceOf = (name: string): string | undefined =>
  /^system:serviceaccount:([^:]+):akv-injector-coordinator$/.exec(name)?.[1]

if (command === undefined || command === '') {
  leaveOut(t, 'the audit log: E2E_AUDIT_LOG names no command that prints it')
} else {
  void t.test('audit log: coordinators use every permission they have, and no other', async (t) => {
    const calls = (await readAudit(command, started)).flatMap((call) => {
      const namespace = namespaceOf(call.user)
      return namespace === undefined ? [] : [{ ...call, namespace }]
    })
    const used = new Set(calls.map(({ permission }) => permission))
    t.strictSame(
      [...used].filter((one) => !rights.includes(one)),
      [],
      `${calls.length} calls are what the Roles are for`,
    )
    const leases = calls.filter(({ permission }) => permission.includes('leases'))
    const path = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
    const isOwn = ({ namespace, uri }: (typeof leases)[number]): boolean =>
      [path(namespace), `${path(namespace)}/akv-injector-coordinator`].includes(uri)
    t.strictSame(
      leases.filter((call) => !isOwn(call)).map(({ uri }) => uri),
      [],
      'no Lease but its own',
    )
    if (!hasRun) t.comment(`not checked without the scenario ${user}: whether every permission was used`)
    else
      t.strictSame(
        rights.filter((right) => !used.has(right)),
        [],
        'every permission was used',
      )
  })
}
