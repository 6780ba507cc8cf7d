import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { watch } from 'chokidar'
import type { Logger } from '../shared/log.ts'
import { parseConfiguration, type Configuration } from './configuration.ts'

/** The administrator's configuration as it is now. */
export interface ConfigurationFile {
  current(): Configuration
  /** What is wrong with the file as it is now, while an earlier state of it holds; undefined where it is in use. */
  problem(): string | undefined
  close(): Promise<void>
}

export interface ConfigurationFileOptions {
  file: string
  log: Logger
  /** For metrics: whether a state of the file was taken. */
  onRead?: (taken: boolean) => void
  /** However quiet the watch is, the file is read this often (milliseconds). */
  interval?: number
}

/**
 * Reads the file, and again whenever its folder changes: a mounted ConfigMap's file never changes itself, the kubelet points
 * the link `..data` beside it to another folder. A state that is wrong is refused and told, and the one before holds.
 * @throws Error with every problem when there is no good state to begin with
 */
export async function watchConfiguration(options: ConfigurationFileOptions): Promise<ConfigurationFile> {
  const { file, log, onRead, interval = 60_000 } = options
  const first = parseConfiguration(await readFile(file, 'utf8'))
  if (!first.ok) throw new Error(`${file}: ${first.problems.join('; ')}`)
  let current = first.value
  let problem: string | undefined
  onRead?.(true)

  /** What was read is compared, not the text: files that it names change on their own. */
  async function reread(): Promise<void> {
    const text = await readFile(file, 'utf8').catch((error: Error) => error)
    if (text instanceof Error) return refuse([text.message])
    const parsed = parseConfiguration(text)
    if (!parsed.ok) return refuse(parsed.problems)
    const changed = JSON.stringify(parsed.value) !== JSON.stringify(current)
    if (!changed && problem === undefined) return
    if (changed) log.info({ file }, 'configuration: the changed file is in use')
    current = parsed.value
    problem = undefined
    onRead?.(true)
  }

  function refuse(problems: string[]): void {
    const told = problems.join('; ')
    if (told === problem) return
    problem = told
    log.error({ file, problems }, 'configuration: the file is refused, what it was before holds')
    onRead?.(false)
  }

  let reading = Promise.resolve()
  const look = (): void => {
    reading = reading.then(reread)
  }
  const watcher = watch(dirname(file), { ignoreInitial: true, depth: 1 })
    .on('all', look)
    .on('error', (error) => log.warn({ file, reason: (error as Error).message }, 'configuration: the watch failed'))
  const timer = setInterval(look, interval).unref()
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
