import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface DecisionPage {
  /** The file's name, `NNNN-title.md`. */
  file: string
  title: string
  /** `accepted` or `superseded by NNNN`. */
  status: string
}

/** Returns the pages of a folder by number. @throws Error if a page does not begin with `# N. Title` and a status */
export function decisionPages(folder = 'docs/decisions'): DecisionPage[] {
  return globSync(join(folder, '[0-9]*.md'))
    .sort()
    .map((path) => {
      const file = basename(path)
      const [, number, title, status] =
        /^# (\d+)\. (.+)\n\nStatus: (accepted|superseded by \d{4})\n/.exec(readFileSync(path, 'utf8')) ?? []
      if (
        number === undefined ||
        title === undefined ||
        status === undefined ||
        Number(file.slice(0, 4)) !== Number(number)
      )
        throw new Error(
          `${path}: expected "# ${Number(file.slice(0, 4))}. Title" and "Status: accepted" or "Status: superseded by NNNN"`,
        )
      return { file, title, status }
    })
}
