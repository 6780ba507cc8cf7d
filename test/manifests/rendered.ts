import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

/** The fields of a manifest that the invariants read. */
export interface Manifest {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  [field: string]: unknown
}

export const manifests = join(import.meta.dirname, '../../manifests')
export const read = (text: string): Manifest[] =>
  parseAllDocuments(text).flatMap((one) => (one.contents === null ? [] : [one.toJS() as Manifest]))

interface Kustomization {
  resources?: string[]
  components?: string[]
}

/** Every resource that a kustomization names, as it is written: those of the folders that it builds on included, without patches. */
export function written(folder: string): Manifest[] {
  const { resources = [], components = [] } = parse(
    readFileSync(join(folder, 'kustomization.yaml'), 'utf8'),
  ) as Kustomization
  return [...resources, ...components].flatMap((entry) =>
    entry.endsWith('.yaml') ? read(readFileSync(join(folder, entry), 'utf8')) : written(join(folder, entry)),
  )
}

/** The program that renders kustomizations: kubectl has kustomize inside. Undefined where there is neither. */
export const renderer: [program: string, ...args: string[]] | undefined = (
  [
    ['kubectl', 'kustomize'],
    ['kustomize', 'build'],
  ] as const
).find(([program, argument]) => {
  try {
    execFileSync(program, [argument, '--help'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}) as [string, ...string[]] | undefined

/** What the cluster would be given. @throws Error where nothing renders, or the kustomization is wrong */
export function render(folder: string): Manifest[] {
  if (renderer === undefined) throw new Error('neither kubectl nor kustomize is here')
  const [program, ...args] = renderer
  return read(execFileSync(program, [...args, folder], { encoding: 'utf8' }))
}
