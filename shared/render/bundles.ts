import { memberName, membersOf, selectionOf } from './bundle.ts'
import { filesOf, objectName, type ObjectSpec } from '../objects/spec.ts'
import { type BundleFormat } from '../objects/formats.ts'
import type { BundleSpec } from '../objects/schema.ts'
import { quote } from '../messages.ts'
import { textOf, type Files } from './contents.ts'
import { noGroups, type Groups } from './groups.ts'
import { dotenvObstacle, printDotenv } from './dotenv.ts'
import { escapeProperty } from './escapes.ts'
import { maxOutput, RenderFailure } from './rendered.ts'

/** The fields of an object that a bundle depends on. */
export type BundleObject = Pick<ObjectSpec, 'type' | 'name' | 'path' | 'history' | 'split'>

/** Limit of the problems of a selection in a message; admission reports more. */
const mostProblems = 5

/**
 * Writes secrets into one file, each under its name in the bundle, with the content of its own file; of a history, the
 * newest version. Optional secrets that do not exist are omitted.
 * @param files the pod's files by path
 * @param groups what finds selected
 * @throws {@link RenderFailure} for a value that the format cannot represent, for a wrong selection, and for more than
 * {@link maxOutput}
 */
export async function renderBundle(
  bundle: BundleSpec,
  objects: readonly BundleObject[],
  files: Files,
  groups: Groups<BundleObject> = noGroups,
): Promise<Uint8Array> {
  const { members, problems } = membersOf(bundle, objects, true, groups)
  // Checked whatever exists at the moment: otherwise a pod would fail only once an optional secret appears.
  if (problems.length > 0) throw new RenderFailure(problems.slice(0, mostProblems).join('; '))
  const { format, only } = selectionOf(bundle)
  const entries = new Map<string, string>()
  let bytes = 0
  for (const [key, secret] of members) {
    const file = files.get(filesOf(secret)[0] as string)
    if (file === undefined) continue
    bytes += file.content.length
    checkSize(bytes)
    const text = textOf(file.content)
    const obstacle = text === undefined ? notText : format === 'dotenv' ? dotenvObstacle(text) : undefined
    if (text === undefined || obstacle !== undefined)
      throw new RenderFailure(`${objectName(secret)} ${obstacle}, or ${leaveOut(secret, objects, format, only)}`)
    entries.set(key, text)
  }
  const printed = Buffer.from(await printers[format](entries))
  checkSize(printed.length)
  return printed
}

const notText =
  'is not UTF-8 text; keep it as base64 in the vault without encoding, use a template with b64enc instead of the bundle'

/** Returns the text for `bundles` in the annotation `objects` that fixes a problem. */
function leaveOut(
  secret: BundleObject,
  objects: readonly BundleObject[],
  format: BundleFormat,
  only: readonly string[] | undefined,
): string {
  if (!objects.includes(secret)) return 'choose the secrets of the bundle with only and groups'
  const name = quote(memberName(secret, objects))
  return only === undefined
    ? `leave it out of the bundle: { format: ${format}, except: [${name}] } under bundles in the annotation objects`
    : `leave it out of the bundle: remove ${name} from only`
}

function checkSize(bytes: number): void {
  if (bytes > maxOutput)
    throw new RenderFailure(`it would have more than ${maxOutput} bytes: split it with templates or except`)
}

const printers: Record<BundleFormat, (entries: ReadonlyMap<string, string>) => string | Promise<string>> = {
  dotenv: printDotenv,
  json: (entries) => `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`,
  yaml: async (entries) => (await import('./yaml.ts')).printYaml(entries),
  properties: printProperties,
}

async function printProperties(entries: ReadonlyMap<string, string>): Promise<string> {
  let text = ''
  for (const [name, value] of entries) text += `${name}=${await escapeProperty(value)}\n`
  return text
}
