import { spawnSync } from 'node:child_process'
import { needs } from '../support/needs.ts'

/** Whether Prometheus' own checker is here: Debian's package `prometheus` has it. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0

/** For a test's options. */
export const needsPromtool = needs('promtool (Debian: prometheus)', hasPromtool)

/** Runs it. @returns all it said where it found something wrong, else nothing */
export function promtool(args: string[], { input = '', cwd = process.cwd() } = {}): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, cwd, encoding: 'utf8' })
  if (error) throw error
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`
}

/** What is wrong with metrics in the text format. */
export const lintMetrics = (text: string): string => promtool(['check', 'metrics'], { input: text })
