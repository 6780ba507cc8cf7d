import t from 'tap'
import { readEnvironment } from '../../coordinator/environment.ts'

const complete = {
  CONFIGURATION: '/etc/akv-injector/configuration.yaml',
  CERTIFICATES_FOLDER: '/etc/akv-injector-coordinator',
  AZURE_CLIENT_ID: '99999999-9999-4999-8999-999999999999',
  AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/azure/token',
}

void t.test('coordinator environment: defaults apply, and every problem is named', async (t) => {
  t.match(readEnvironment(complete), { ok: true, value: { port: 8443, host: '::', logLevel: 'info' } })
  const { CONFIGURATION: _, ...incomplete } = complete
  const wrong = readEnvironment({ ...incomplete, PORT: 'x', LOG_LEVEL: 'loud' })
  const problems = wrong.ok ? [] : wrong.problems
  t.equal(problems.length, 3, problems.join('\n'))
  for (const pattern of [
    /^PORT is not a port: x$/,
    /^LOG_LEVEL is "loud": expected one of trace, debug, info, warn, error$/,
    /^CONFIGURATION is not set$/,
  ])
    t.ok(
      problems.some((one) => pattern.test(one)),
      String(pattern),
    )
})
