import { logLevels, type LogLevel } from '../shared/log.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { defaultStatePort } from './state-port.ts'

/** The coordinator's environment variables, validated. Frozen. */
export interface Environment {
  host: string
  /** 0 lets the system choose one. */
  port: number
  /** The loopback port of answers about rotations; 0 lets the system choose one. */
  statePort: number
  logLevel: LogLevel
  /** The name of this pod. */
  instance: string
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
  const portOf = (name: string, value: number): number => {
    const number = Number(env[name] || value)
    if (!Number.isInteger(number) || number < 0 || number > 65_535) problems.push(`${name} is not a port: ${env[name]}`)
    return number
  }
  const [port, statePort] = [portOf('PORT', 8443), portOf('STATE_PORT', defaultStatePort)]
  const logLevel = (env['LOG_LEVEL'] || 'info') as LogLevel
  if (!logLevels.includes(logLevel))
    problems.push(`LOG_LEVEL is "${logLevel}": expected one of ${logLevels.join(', ')}`)
  // The workload identity webhook sets them, unless the pod's label or the ServiceAccount's annotation is missing.
  for (const name of ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE']) required(name)
  const environment = {
    host: env['HOST'] || '::',
    ...{ port, statePort },
    logLevel,
    instance: env['HOSTNAME'] || 'akv-injector-coordinator',
    configurationFile: required('CONFIGURATION'),
    certificatesFolder: required('CERTIFICATES_FOLDER'),
  }
  return problems.length > 0 ? fail(...problems) : ok(Object.freeze(environment))
}
