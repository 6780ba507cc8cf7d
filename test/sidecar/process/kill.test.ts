import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'
import { startSidecarFixture } from '../../support/sidecar-bundle.ts'
import { until } from '../../support/until.ts'

const names = ['a', 'b', 'c', 'conf-d', 'conf-e']
/** `npm run fuzz` has more of them. */
const kills = Number(process.env['KILLS'] ?? 40)

/** Large, so that writing it takes a while. */
const valueOf = (generation: string | number, name: string): string => `${generation}:${name}:${'x'.repeat(20_000)}`

/** All files of the current set, read as a careful app does; undefined where the set was replaced meanwhile. */
function readSet(mount: string): Record<string, string> | undefined {
  const current = (): string => readlinkSync(join(mount, '..data'))
  const folder = current()
  const read = (): Record<string, string> => {
    const files = readdirSync(join(mount, folder)).filter((name) => !name.startsWith('..'))
    return Object.fromEntries(files.map((name) => [name, readFileSync(join(mount, folder, name), 'utf8')]))
  }
  try {
    const set = read()
    // A set that was replaced is being removed: it may be listed without some of its files.
    return current() === folder ? set : undefined
  } catch (error) {
    if (current() === folder) throw error
    return undefined
  }
}

/** @throws for a set that the vault never held as a whole */
function generationOf(set: Record<string, string>): number {
  const [generation = ''] = set['a']?.split(':', 1) ?? []
  const isWhole = names.every((name) => set[name] === valueOf(generation, name))
  if (isWhole && Object.keys(set).length === names.length) return Number(generation)
  throw new Error(
    `a set of ${Object.entries(set)
      .map(([name, text]) => `${name}: ${text.slice(0, 12)} (${text.length})`)
      .join(', ')}`,
  )
}

const setFolders = (mount: string): string[] => readdirSync(mount).filter((name) => /^\.\.\d/.test(name))
const isHalfDone = (mount: string): boolean => setFolders(mount).length > 1 || readdirSync(mount).includes('..data_tmp')

/** Waits until a set begins to be written. */
async function writes(mount: string): Promise<boolean> {
  const changes = watch(mount, { signal: AbortSignal.timeout(10_000) })
  try {
    for await (const _ of changes) if (isHalfDone(mount)) return true
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
  return false
}

// Of the file as a whole too, where the runner would end it sooner.
t.setTimeout(900_000)

void t.test(
  `process: after ${kills} kills at random times no set is mixed or partial`,
  { timeout: 900_000 },
  async (t) => {
    const fixture = await startSidecarFixture(names, {
      pollInterval: 50,
      bounds: { pollInterval: { min: 10, max: 1e9 } },
    })
    t.teardown(() => fixture.end())
    const vault = fixture.emulator.vault('my-kv')
    let generation = 0
    const rotate = () => {
      generation++
      for (const name of names) vault.setSecret(name, valueOf(generation, name))
    }
    const hasNewest = () => {
      const set = readSet(fixture.mount)
      return set && generationOf(set) === generation
    }
    rotate()
    const begun = performance.now()
    let sidecar = fixture.start()
    await until('the first set', () => readdirSync(fixture.mount).includes('..data') && hasNewest())
    /** From a process's start to its first switch, in milliseconds: kills fall anywhere within that, and a little later. */
    let usual = performance.now() - begun

    const seen = new Set<number>()
    let newest = 0
    let isOver = false
    const read = async (): Promise<void> => {
      while (!isOver) {
        const set = readSet(fixture.mount)
        const found = set && generationOf(set)
        if (found !== undefined && found < newest) throw new Error(`back from ${newest} to ${found}`)
        if (found !== undefined) seen.add((newest = found))
        await sleep(1)
      }
    }
    const reading = read()

    let halfDone = 0
    for (let count = 0; count < kills; count++) {
      await sidecar.stop('SIGKILL')
      if (isHalfDone(fixture.mount)) halfDone++
      rotate()
      const started = performance.now()
      sidecar = fixture.start()
      if (count % 2 === 0) {
        // When a set is being written.
        const isWriting = await Promise.race([reading, writes(fixture.mount)])
        if (isWriting) usual += (performance.now() - started - usual) / 5
        await sleep(Math.random() * 3)
      } else {
        for (const part of [Math.random(), Math.random()]) {
          await Promise.race([reading, sleep(part * usual)])
          rotate()
        }
      }
    }
    isOver = true
    await reading
    await until('the newest set', hasNewest)
    await until('a clean volume', () => !isHalfDone(fixture.mount) && setFolders(fixture.mount).length === 1)
    t.comment(
      `${seen.size} of ${generation} generations seen, ${halfDone} kills in the middle of a switch, ${Math.round(usual)} ms from a start to there`,
    )
    t.ok(seen.size > 1)
    t.ok(halfDone > 0)
  },
)
