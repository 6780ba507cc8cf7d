/** Files of a pod's secrets volume: which paths are safe, and whether a set of them can stand beside each other. */

// eslint-disable-next-line no-control-regex -- they are what is looked for
const forbidden = /[\u0000-\u001f\u007f\\]/

/**
 * Why a relative path may not be written under the mount, or undefined when it may. The first component may not begin
 * with `..`, which is how the volume's own entries begin (the kubelet's scheme for atomic volumes).
 */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'a path may not be empty'
  if (path.startsWith('/')) return 'a path is relative to the mount and may not begin with "/"'
  if (forbidden.test(path)) return 'a path may not hold control characters or a backslash'
  if (!path.isWellFormed()) return 'a path must be well-formed Unicode'
  if (Buffer.byteLength(path) > 4096) return 'a path may be at most 4096 bytes long'
  const components = path.split('/')
  if (components[0]?.startsWith('..')) return 'a path may not begin with ".."'
  for (const component of components) {
    if (component === '') return 'a path may not have an empty component'
    if (component === '.' || component === '..') return `a path may not have a component "${component}"`
    if (Buffer.byteLength(component) > 255) return 'a component of a path may be at most 255 bytes long'
  }
  return undefined
}

/** A file that a pod will have, and who asked for it, for messages. */
export interface PlannedFile {
  path: string
  source: string
}

/**
 * A sentence for each two sources whose files cannot both exist: the same path, or one the other's folder. Takes time in proportion
 * to the text of the paths, which are a user's: thousands of files, thousands of folders deep, are an ordinary input here.
 */
export function treeProblems(files: PlannedFile[]): string[] {
  const problems = new Map<string, string>()
  // One sentence for two sources, however many files of a history clash.
  const report = (one: string, other: string, problem: string) => {
    const pair = JSON.stringify([one, other])
    if (!problems.has(pair)) problems.set(pair, `${problem}; give one of them another path`)
  }
  const sources = new Map<string, string>()
  for (const { path, source } of files) {
    const other = sources.get(path)
    if (other === undefined) sources.set(path, source)
    else report(source, other, `${source} and ${other} are both written to "${path}"`)
  }
  const fileAbove = nearestFileAbove(sources)
  for (const [path, source] of sources) {
    const folder = fileAbove(path)
    if (folder === undefined) continue
    const other = sources.get(folder) as string
    report(source, other, `${source} is written to "${path}", but ${other} is a file at "${folder}"`)
  }
  return [...problems.values()]
}

/** Looks the folders of a path up among the files, each folder once, however many paths it is in. */
function nearestFileAbove(files: ReadonlyMap<string, unknown>): (path: string) => string | undefined {
  const known = new Map<string, string | undefined>()
  return (path) => {
    const passed: string[] = []
    let found: string | undefined
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end)
      if (known.has(folder)) {
        found = known.get(folder)
        break
      }
      if (files.has(folder)) {
        found = folder
        break
      }
      passed.push(folder)
    }
    for (const folder of passed) known.set(folder, found)
    return found
  }
}
