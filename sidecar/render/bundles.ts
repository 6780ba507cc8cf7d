import { bundleProblem } from '../../shared/bundle.ts'
import { filesOf, objectName, type BundleFormat, type ObjectSpec } from '../../shared/object-spec.ts'
import { escapeUnicode } from '../../shared/printable.ts'
import { textOf, type Files } from './contents.ts'
import { printDotenv } from './dotenv.ts'
import { maxOutput, RenderFailure } from './rendered.ts'
import { replaceUnits } from './turns.ts'

/** What a bundle needs to know of an object. */
export type BundleObject = Pick<ObjectSpec, 'type' | 'name' | 'path' | 'history' | 'split'>

/**
 * Writes every object of type secret into one file, under its name: as its own file has it, with history the newest version.
 * Secrets that are not there (optional ones) are left out.
 * @param files the pod's files by path
 * @throws {@link RenderFailure} for a value that the format cannot hold, for two secrets of one name, and for more than {@link maxOutput}
 */
export async function renderBundle(
  format: BundleFormat,
  objects: readonly BundleObject[],
  files: Files,
): Promise<Uint8Array> {
  const secrets = objects.filter(({ type }) => type === 'secret')
  // The same whatever is there just now: else a pod would fail only once an optional secret appears.
  const problem = bundleProblem(format, secrets)
  if (problem !== undefined) throw new RenderFailure(problem)
  const entries = new Map<string, string>()
  let bytes = 0
  for (const secret of secrets) {
    const file = files.get(filesOf(secret)[0] as string)
    if (file === undefined) continue
    bytes += file.content.length
    checkSize(bytes)
    entries.set(secret.name, contentOf(secret, file.content))
  }
  const printed = Buffer.from(await printers[format](entries))
  checkSize(printed.length)
  return printed
}

function checkSize(bytes: number): void {
  if (bytes > maxOutput) throw new RenderFailure(`it would have more than ${maxOutput} bytes: split it with templates`)
}

function contentOf(secret: BundleObject, content: Uint8Array): string {
  const text = textOf(content)
  if (text !== undefined) return text
  throw new RenderFailure(
    `${objectName(secret)} is not UTF-8 text; keep it as base64 in the vault without encoding, or use a template with b64enc`,
  )
}

const printers: Record<BundleFormat, (entries: ReadonlyMap<string, string>) => string | Promise<string>> = {
  dotenv: printDotenv,
  json: (entries) => `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`,
  yaml: async (entries) => (await import('./yaml.ts')).printYaml(entries),
  properties: printProperties,
}

/**
 * As `java.util.Properties` loads it from a stream (Latin-1) as well as from a reader, hence ASCII: the backslash and control
 * characters escaped, and a space where it begins the value.
 * {@link https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)}
 */
async function printProperties(entries: ReadonlyMap<string, string>): Promise<string> {
  const known: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  const escape = (character: string) => known[character] ?? escapeUnicode(character)
  let text = ''
  for (const [name, value] of entries) {
    const escaped = await replaceUnits(value, /[^\x20-\x5b\x5d-\x7e]/g, escape)
    text += `${name}=${escaped.replace(/^ /, '\\ ')}\n`
  }
  return text
}
