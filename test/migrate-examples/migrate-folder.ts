import { createLogger } from '../../shared/log.ts'
import { parseConfiguration } from '../../webhook/configuration/configuration.ts'
import { clientId, type SidecarFixture } from '../support/sidecar-bundle.ts'
import type { Pki } from '../support/pki.ts'
import { casesOf } from './cases.ts'
import { evaluate, type Outcome } from './evaluate.ts'
import { readGroups } from './manifests.ts'
import { fillIn } from './placeholders.ts'

/** Migrates every pod and class of a folder of examples, and compares files. ServiceAccounts have a client ID, and node identities are allowed. */
export async function migrateFolder(folder: string, fixture: SidecarFixture, pki: Pki): Promise<Outcome[]> {
  const { clouds } = fixture.settings
  const tenantId = fixture.emulator.tenant
  const parsed = parseConfiguration(JSON.stringify({ tenantId, clouds, cloud: 'Emulator', allowNodeIdentity: true }))
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const options = {
    ...{ namespace: 'default', clientId, image: 'akv-injector:0', version: '0.1.0' },
    ...{ configuration: parsed.value, log: createLogger('error') },
  }
  const outcomes: Outcome[] = []
  const groups = readGroups(folder, (text) => fillIn(text, { tenant: tenantId, client: clientId }))
  for (const one of casesOf(groups)) outcomes.push(await evaluate(one, options, fixture, pki))
  return outcomes
}

/** The outcomes as rows of a Markdown table, and how many are equal. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ place, name, result, files, problems }) => {
    const more = result === 'equal' ? `${files} file${files === 1 ? '' : 's'}` : problems.join('; ')
    return `| \`${place}\` | ${name} | ${result} | ${more.replaceAll('|', '\\|')} |`
  })
  const valid = outcomes.filter(({ result }) => result !== 'invalid')
  const equal = outcomes.filter(({ result }) => result === 'equal').length
  const share = ((equal / valid.length) * 100).toFixed(1)
  return [
    '| place | pod or class | result | files, or why not |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    `Of ${outcomes.length}, ${outcomes.length - valid.length} are invalid. Of the other ${valid.length}, ${equal} are equal: ${share} %.`,
  ].join('\n')
}
