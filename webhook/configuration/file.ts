import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { watch } from 'chokidar'
import type { Logger } from '../../shared/log.ts'
import { parseConfiguration, type Configuration } from './configuration.ts'

/** The administrator's configuration file, which may change. */
export interface ConfigurationFile {
  current(): Configuration
  /** The problem of the current file, while its previous version stays in use; undefined if the current one is used. */
  problem(): string | undefined
  close(): Promise<void>
}

export interface ConfigurationFileOptions {
  file: string
  log: Logger
  /** For metrics: called with whether a version of the file is used. */
  onRead?: (taken: boolean) => void
  /** The file is read at least this often (milliseconds), even if the watch reports no change. */
  intervalMs?: number
}

/**
 * Reads the file, and again whenever its folder changes: the kubelet updates a mounted ConfigMap by pointing the link `..data` to another
 * folder. If the new version is invalid, this is logged and the previous version stays in use.
 * @throws Error with every problem if the first version is invalid
 */
export async function watchConfiguration(options: ConfigurationFileOptions): Promise<ConfigurationFile> {
  const { file, log, onRead, intervalMs = 60_000 } = options
  const first = parseConfiguration(await readFile(file, 'utf8'))
  if (!first.ok) throw new Error(`${file}: ${first.problems.join('; ')}`)
  let current = first.value
  let problem: string | undefined
  onRead?.(true)

  /** Compares the parsed configuration instead of the text, because the files that it names may change too. */
  async function reread(): Promise<void> {
    const text = await readFile(file, 'utf8').catch((error: Error) => error)
    if (text instanceof Error) return refuse([text.message])
    const parsed = parseConfiguration(text)
    if (!parsed.ok) return refuse(parsed.problems)
    const changed = JSON.stringify(parsed.value) !== JSON.stringify(current)
    if (!changed && problem === undefined) return
    if (changed) log.info({ file }, 'configuration: the changed file is now in use')
    current = parsed.value
    problem = undefined
    onRead?.(true)
  }

  function refuse(problems: string[]): void {
    const text = problems.join('; ')
    if (text === problem) return
    problem = text
    log.error({ file, problems }, 'configuration: the changed file is invalid; its previous version stays in use')
    onRead?.(false)
  }

  let reading = Promise.resolve()
  const refresh = (): void => {
    reading = reading.then(reread)
  }
  const watcher = watch(dirname(file), { ignoreInitial: true, depth: 1 })
    .on('all', refresh)
    .on('error', (error) => log.warn({ file, reason: (error as Error).message }, 'configuration: the watch failed'))
  const timer = setInterval(refresh, intervalMs).unref()
  await new Promise<void>((resolve) => watcher.once('ready', resolve))
  return {
    current: () => current,
    problem: () => problem,
    async close() {
      clearInterval(timer)
      await watcher.close()
      await reading
    },
  }
}
