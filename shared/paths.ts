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
  if (Buffer.byteLength(path) > 4096) return 'a path may be 4096 bytes long'
  const components = path.split('/')
  if (components[0]?.startsWith('..')) return 'a path may not begin with ".."'
  for (const component of components) {
    if (component === '') return 'a path may not have an empty component'
    if (component === '.' || component === '..') return `a path may not have a component "${component}"`
    if (Buffer.byteLength(component) > 255) return 'a component of a path may be 255 bytes long'
  }
  return undefined
}

/** A file that a pod will have, and who asked for it, for messages. */
export interface PlannedFile {
  path: string
  source: string
}

/** A sentence for each two files that cannot both exist: the same path, or one the other's folder. */
export function treeProblems(files: PlannedFile[]): string[] {
  const problems: string[] = []
  const sources = new Map<string, string>()
  for (const { path, source } of files) {
    const other = sources.get(path)
    if (other === undefined) sources.set(path, source)
    else problems.push(`${source} and ${other} are both written to "${path}"; give one of them another path`)
  }
  for (const [path, source] of sources) {
    const components = path.split('/')
    for (let depth = 1; depth < components.length; depth++) {
      const folder = components.slice(0, depth).join('/')
      const other = sources.get(folder)
      if (other !== undefined) {
        problems.push(
          `${source} is written to "${path}", but ${other} is a file at "${folder}"; give one of them another path`,
        )
      }
    }
  }
  return problems
}
