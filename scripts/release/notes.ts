/**
 * The section of a version in the changelog, without its heading.
 * @param version as in `## 1.2.3 (2026-11-30)`
 * @throws Error if there is no such section, if it has no date, or if it is empty
 */
export function notesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1)
  const section = sections.find((text) => text.startsWith(`${version} `))
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${version} (YYYY-MM-DD)"`)
  const [heading = '', ...lines] = section.split('\n')
  if (!/\(\d{4}-\d{2}-\d{2}\)$/.test(heading))
    throw new Error(
      `CHANGELOG.md: the heading "## ${heading}" must end with the date of the release, as in (2026-11-30)`,
    )
  const notes = lines.join('\n').trim()
  if (notes === '') throw new Error(`CHANGELOG.md: the section of ${version} is empty`)
  return `${notes}\n`
}
