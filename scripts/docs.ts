/**
 * Writes what the documentation takes from the code: each block between `<!-- NAME -->` and `<!-- /NAME -->` in docs/ and the
 * README. `node scripts/docs.ts` rewrites them, `--check` only tells which are out of date.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { blocks } from './docs/blocks.ts'

const block = /<!-- ([a-z-]+) -->\n[\s\S]*?<!-- \/\1 -->/g

/** A document with every block of the table filled in anew. @throws Error for a block that nobody makes */
export function fill(text: string): string {
  return text.replace(block, (_all, name: string) => {
    const make = blocks[name]
    if (make === undefined) throw new Error(`nobody makes the block "${name}"`)
    return `<!-- ${name} -->\n\n${make().trim()}\n\n<!-- /${name} -->`
  })
}

export const documents = (): string[] => ['README.md', ...globSync('docs/*.md')].sort()

if (import.meta.main) {
  for (const file of documents()) {
    const text = readFileSync(file, 'utf8')
    const filled = fill(text)
    if (filled === text) continue
    console.log(`${file}: ${process.argv.includes('--check') ? 'out of date' : 'written'}`)
    if (process.argv.includes('--check')) process.exitCode = 1
    else writeFileSync(file, filled)
  }
}
