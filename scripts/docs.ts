/**
 * Writes the generated parts of the documentation: each block between `<!-- NAME -->` and `<!-- /NAME -->` in docs/ and
 * the README, and the JSON schema of the administrator's file. `node scripts/docs.ts` writes them; with `--check`, it only lists the files that are out of date.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { ConfigurationFile } from '../webhook/configuration/schema.ts'
import { blocks } from './docs/blocks.ts'

const block = /<!-- ([a-z-]+) -->\n[\s\S]*?<!-- \/\1 -->/g

/** Returns a document with every block generated from the code. @throws Error if the name of a block is unknown */
export function fill(text: string): string {
  return text.replace(block, (_all, name: string) => {
    const make = blocks[name]
    if (make === undefined) throw new Error(`unknown block "${name}"`)
    return `<!-- ${name} -->\n\n${make().trim()}\n\n<!-- /${name} -->`
  })
}

const schemaFile = 'docs/configuration.schema.json'

/** The JSON schema of the administrator's file, for editors. The webhook also checks what a schema cannot say. */
const configurationSchema = (): string => {
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: "akv-injector: the administrator's file",
  }
  return `${JSON.stringify({ ...head, ...ConfigurationFile }, null, 2)}\n`
}

export const documents = (): string[] => ['README.md', schemaFile, ...globSync('docs/**/*.md')].sort()

/** Returns what a generated document, with this text today, should have. @throws Error as `fill` does */
export const generate = (file: string, text: string): string =>
  file === schemaFile ? configurationSchema() : fill(text)

if (import.meta.main) {
  for (const file of documents()) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const filled = generate(file, text)
    if (filled === text) continue
    console.log(`${file}: ${process.argv.includes('--check') ? 'out of date' : 'written'}`)
    if (process.argv.includes('--check')) process.exitCode = 1
    else writeFileSync(file, filled)
  }
}
