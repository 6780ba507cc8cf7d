import type { LogLevel } from '../shared/log.ts'
import { coordinatorTokenFile } from '../shared/names.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { Reader } from '../webhook/environment.ts'

/** The program's environment variables, validated. Frozen. */
export interface SyncEnvironment {
  /** For probes and metrics; 0 lets the system choose one. */
  port: number
  logLevel: LogLevel
  /** The administrator's configuration file, the same as the webhook's; without one, the defaults apply. */
  configurationFile: string | undefined
  /** The token for the coordinator. */
  coordinatorTokenFile: string
  /** The program's own pod. */
  pod: { namespace: string; name: string }
}

/** Reads the environment variables that manifests/components/sync sets; fails with every problem in them. */
export function readSyncEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Result<Readonly<SyncEnvironment>> {
  const reader = new Reader(env)
  const environment: SyncEnvironment = {
    port: reader.port('PORT') ?? 8080,
    logLevel: reader.logLevel('LOG_LEVEL') ?? 'info',
    configurationFile: reader.text('CONFIGURATION'),
    coordinatorTokenFile: reader.text('COORDINATOR_TOKEN_FILE') ?? coordinatorTokenFile,
    pod: { namespace: reader.required('POD_NAMESPACE'), name: reader.text('POD_NAME') ?? 'akv-injector-sync' },
  }
  return reader.problems.length > 0 ? fail(...reader.problems) : ok(Object.freeze(environment))
}
