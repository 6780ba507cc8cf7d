import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Manifest } from '../../cli/documents.ts'

/** Objects that belong together: those of a folder of YAML files, or of a Markdown page. */
export interface Group {
  /** The folder or page, relative to the examples. */
  place: string
  manifests: Manifest[]
}

/** Returns every Kubernetes object in the YAML files and in the code blocks of the Markdown pages of a folder. */
export function readGroups(folder: string, replace: (text: string) => string): Group[] {
  const groups = new Map<string, Manifest[]>()
  for (const file of globSync('**/*.{yaml,yml,md}', { cwd: folder }).sort()) {
    const text = readFileSync(join(folder, file), 'utf8')
    const isPage = file.endsWith('.md')
    const place = isPage ? file : dirname(file)
    const manifests = (isPage ? blocksOf(text) : [text]).flatMap((block) => objectsIn(replace(block)))
    groups.set(place, [...(groups.get(place) ?? []), ...manifests])
  }
  return Array.from(groups, ([place, manifests]) => ({ place, manifests })).filter(
    ({ manifests }) => manifests.length > 0,
  )
}

/** The contents of fenced code blocks, without their indentation, and without the shell around a here-document. */
function blocksOf(markdown: string): string[] {
  return [...markdown.matchAll(/^ *```[^\n]*\n([^]*?)^ *```/gm)].map(([, text = '']) => {
    const [, here] = /<<-?'?EOF'?[^\n]*\n([^]*?)^EOF$/m.exec(text) ?? []
    const lines = (here ?? text).split('\n')
    const indents = lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/))
    return lines.map((line) => line.slice(Math.min(...indents))).join('\n')
  })
}

/** What is no Kubernetes object, such as a part of one or a log, is left out. */
function objectsIn(text: string): Manifest[] {
  return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) => {
    if (document.errors.length > 0) return []
    const value = document.toJS() as Partial<Manifest> | null
    return typeof value?.kind === 'string' && typeof value.apiVersion === 'string' ? [value] : []
  })
}
