import { logLevels, type LogLevel } from '../shared/log.ts'
import { fail, ok, type Result } from '../shared/result.ts'

/** The coordinator's environment variables, validated. Frozen. */
export interface Environment {
  host: string
  /** 0 lets the system choose one. */
  port: number
  logLevel: LogLevel
  /** The administrator's configuration file. */
  configurationFile: string
  /** A folder with `tls.crt` and `tls.key`. */
  certificatesFolder: string
}

type Variables = Readonly<Record<string, string | undefined>>

/** Reads and checks the variables; every problem is returned. */
export function readEnvironment(env: Variables): Result<Readonly<Environment>> {
  const problems: string[] = []
  const required = (name: string): string => {
    const text = env[name] ?? ''
    if (text === '') problems.push(`${name} is not set`)
    return text
  }
  const port = Number(env['PORT'] || 8443)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) problems.push(`PORT is not a port: ${env['PORT']}`)
  const logLevel = (env['LOG_LEVEL'] || 'info') as LogLevel
  if (!logLevels.includes(logLevel)) problems.push(`LOG_LEVEL is none of ${logLevels.join(', ')}: ${logLevel}`)
  // The workload identity webhook sets them, unless the pod's label or the ServiceAccount's annotation is missing.
  for (const name of ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE']) required(name)
  const environment = {
    host: env['HOST'] || '::',
    port,
    logLevel,
    configurationFile: required('CONFIGURATION'),
    certificatesFolder: required('CERTIFICATES_FOLDER'),
  }
  return problems.length > 0 ? fail(...problems) : ok(Object.freeze(environment))
}
