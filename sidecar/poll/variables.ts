import type { SetFile } from '../../shared/render/rendered.ts'
import { longestVariables, noVariable, printVariable, variableSize } from '../../shared/render/variable.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { variableFile } from '../../shared/variables.ts'
import type { Composed } from './compose.ts'

/** Only the kubelet reads these files, as root. */
const mode = 0o400

/** Adds the file of each variable, made from the file that it is read from, so that both switch at the same moment. */
export function addVariables({ variables = {} }: Pick<Settings, 'variables'>, set: Composed): Composed {
  const files = new Map<string, SetFile>(set.files)
  for (const [name, path] of Object.entries(variables)) {
    const content = set.files.get(path)?.content
    files.set(variableFile(name), { content: content ? printVariable(name, content) : noVariable, mode })
  }
  return { ...set, files }
}

/** Why the variables of a set do not fit into the environment of a process together, after what has the new value; undefined if they do. */
export function sizeObstacle(
  { variables = {} }: Pick<Settings, 'variables'>,
  { files }: Pick<Composed, 'files'>,
): string | undefined {
  const sizes = Object.entries(variables).map(([name, path]) =>
    variableSize(name, files.get(path)?.content ?? noVariable),
  )
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total <= longestVariables) return undefined
  return `with its new value, the environment variables of the pod take ${total} bytes in all, and at most ${longestVariables} fit; remove a variable from the annotation env and let the app read the file`
}
