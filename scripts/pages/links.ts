import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { anchorsOf, prose, relativeLinks } from './markdown.ts'

/** Which relative links of a page lead nowhere, and which files that it names do not exist. */
export function linkProblems(page: string, text: string): string[] {
  const links = relativeLinks(text).flatMap((link) => {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    if (target !== page && !existsSync(target)) return [`${page}: ${link}: there is no file ${target}`]
    if (anchor === undefined || !target.endsWith('.md')) return []
    const there = target === page ? text : readFileSync(target, 'utf8')
    return anchorsOf(there).has(anchor) ? [] : [`${page}: ${link}: ${target} has no heading with this anchor`]
  })
  return [...links, ...namedFiles(text).map((path) => `${page}: \`${path}\`: there is no such file`)]
}

const folders =
  'shared|webhook|sidecar|coordinator|sync|certs|cli|test|hostile|e2e|emulator|scripts|manifests|docs|bench'

/** Files and folders of the repository that a page names as code, and that do not exist. */
function namedFiles(text: string): string[] {
  const named = [...prose(text).matchAll(new RegExp(`\`((?:${folders})/[\\w./-]*)\``, 'g'))]
  // The threat model names tests without their folder.
  return named.map(([, path = '']) => path).filter((path) => !existsSync(path) && !existsSync(join('test', path)))
}
