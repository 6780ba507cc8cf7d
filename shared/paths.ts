/** The files of a pod's secrets volume: which paths are safe, and whether a set of them can exist together. */

// eslint-disable-next-line no-control-regex -- they are what is looked for
const forbidden = /[\u0000-\u001f\u007f\\]/

/**
 * Returns why a relative path may not be written under the mount, or undefined if it may. The first component may not
 * begin with `..`, like the volume's own entries (the kubelet's scheme for atomic volumes).
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

/** A file that a pod will have, and what requested it, for messages. */
export interface PlannedFile {
  path: string
  source: string
}

/** A planned folder or file. */
interface TreeNode {
  source?: string
  inside: Map<string, TreeNode>
}

/**
 * Returns a sentence for each two sources whose files cannot both exist: they have the same path, or one needs a folder
 * where the other has a file. The time is proportional to the length of the paths, which users write.
 */
export function treeProblems(files: PlannedFile[]): string[] {
  const problems = new Map<string, string>()
  // One sentence for two sources, even if many files of a history clash.
  const report = (one: string, other: string, problem: string) => {
    const pair = JSON.stringify([one, other])
    if (!problems.has(pair)) problems.set(pair, `${problem}; give one of them another path`)
  }
  const root: TreeNode = { inside: new Map() }
  const placed: PlannedFile[] = []
  for (const { path, source } of files) {
    const node = nodeAt(root, path)
    if (node.source !== undefined) {
      report(source, node.source, `${source} and ${node.source} are both written to "${path}"`)
      continue
    }
    node.source = source
    placed.push({ path, source })
  }
  for (const { path, source } of placed) {
    const above = fileAbove(root, path)
    if (above !== undefined)
      report(
        source,
        above.source,
        `${source} is written to "${path}", but ${above.source} is a file at "${above.path}"`,
      )
  }
  return [...problems.values()]
}

/** Returns the node of a path, and creates it if it is missing. */
function nodeAt(root: TreeNode, path: string): TreeNode {
  let node = root
  for (const component of path.split('/')) {
    let next = node.inside.get(component)
    if (next === undefined) node.inside.set(component, (next = { inside: new Map() }))
    node = next
  }
  return node
}

/** Returns the nearest file above a path, if there is one. */
function fileAbove(root: TreeNode, path: string): PlannedFile | undefined {
  const components = path.split('/')
  let node = root
  let nearest: { depth: number; source: string } | undefined
  for (const [depth, component] of components.slice(0, -1).entries()) {
    const next = node.inside.get(component)
    if (next === undefined) break
    node = next
    if (node.source !== undefined) nearest = { depth, source: node.source }
  }
  if (nearest === undefined) return undefined
  return { path: components.slice(0, nearest.depth + 1).join('/'), source: nearest.source }
}
