import { startAnchor, troubleshootingLink } from './names.ts'

/** The programs of Deployments, as messages name them. */
export const programs = {
  webhook: 'the webhook',
  coordinator: 'the coordinator',
  sync: 'akv-injector-sync',
} as const
export type Program = keyof typeof programs

/** Returns the last line of the log of a program that cannot start: JSON whose `reason` ends with the link to the documentation. */
export const startFailure = (program: Program, error: unknown): string =>
  JSON.stringify({
    level: 'fatal',
    msg: `${programs[program]} cannot start`,
    reason: `${(error as Error).message} ${troubleshootingLink(startAnchor(program))}`,
  })
