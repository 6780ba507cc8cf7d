import { settingsVariable } from '../shared/names.ts'
import { parseSettings } from '../shared/settings/parse.ts'
import { openPort, type Port } from './report/server.ts'

/**
 * Listens before the rest of the program is loaded, which takes longer than until here: the kubelet's first probe may come in the first
 * tenth of a second, and the next one a second later. Requests wait for the program.
 * @returns undefined for settings that name no port; the program says what is wrong with them
 */
export function openEarly(role: string, environment: Readonly<Record<string, string | undefined>>): Port | undefined {
  const port = role === 'run' ? portOf(environment[settingsVariable] ?? '') : undefined
  return port === undefined ? undefined : openPort({ port })
}

function portOf(encodedSettings: string): number | undefined {
  const parsed = parseSettings(encodedSettings)
  const { port } = ((parsed.ok && parsed.value) || {}) as { port?: unknown }
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}
