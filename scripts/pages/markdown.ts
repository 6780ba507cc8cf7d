/** The text of a comment before a shell block: why no test runs it as it is. After `replaced in tests` follow the files that do the same. */
export const marks = ['needs Azure', 'needs a registry', 'replaced in tests'] as const
export type Mark = (typeof marks)[number]

/** Reads the comment before a shell block, such as `replaced in tests: test/demo/demo.test.ts`; undefined if it is no mark. */
export function readMark(comment: string | undefined): { mark: Mark; files: string[] } | undefined {
  const [, text, list] = /^([^:]+)(?:: (.+))?$/.exec(comment ?? '') ?? []
  const mark = marks.find((one) => one === text)
  return mark && { mark, files: list?.split(', ') ?? [] }
}

/** A fenced code block of a page. */
export interface Block {
  /** The line on which it begins, from 1. */
  line: number
  language: string
  /** Without the indentation of the block itself. */
  text: string
  /** The text of the comment before it. */
  comment?: string
}

/** Returns the fenced code blocks of a Markdown text, in order. */
export function codeBlocks(markdown: string): Block[] {
  const pattern = /(?:<!-- ([^\n]+?) -->\n\n)?^( *)```(\w*)[^\n]*\n(.*?)^\2```/gms
  return [...markdown.matchAll(pattern)].map((match) => {
    const [, comment, indent = '', language = '', text = ''] = match
    const line = markdown.slice(0, markdown.indexOf('```', match.index)).split('\n').length
    const plain = text
      .split('\n')
      .map((one) => (one.startsWith(indent) ? one.slice(indent.length) : one))
      .join('\n')
    return { line, language, text: plain, ...(comment === undefined ? {} : { comment }) }
  })
}

/** Text outside of code blocks. */
export const prose = (markdown: string): string => markdown.replace(/^( *)```.*?^\1```/gms, '')

/** The anchors of a page's headings, as GitHub forms them: lower case, without punctuation, repeated ones with a number. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of prose(markdown).matchAll(/^#+ (.+)$/gm)) {
    const plain = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    let anchor = plain
    for (let count = 1; anchors.has(anchor); count++) anchor = `${plain}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** The targets of a page's links and pictures that are not on another host, such as `objects.md#certificates`. */
export function relativeLinks(markdown: string): string[] {
  const text = prose(markdown)
  const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)]
  return inline.map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target))
}
