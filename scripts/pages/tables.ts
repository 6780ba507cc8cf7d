import { codeBlocks } from './markdown.ts'

/** Table rows with more or fewer cells than the head of their table: a bar splits a cell even inside of code, unless it is escaped. */
export function tableProblems(page: string, text: string): string[] {
  const inCode = linesInCode(text)
  let head: number | undefined
  return text.split('\n').flatMap((line, index) => {
    if (inCode.has(index + 1) || !/^\s*\|/.test(line)) {
      head = undefined
      return []
    }
    const bars = line.match(/(?<!\\)\|/g)?.length ?? 0
    head ??= bars
    return bars === head
      ? []
      : [
          `${page}:${index + 1}: the row has ${bars - 1} cells, and its table ${head - 1}: write \\| for a bar in a cell`,
        ]
  })
}

/** The numbers of the lines of code blocks, from 1. */
const linesInCode = (text: string): Set<number> =>
  new Set(
    codeBlocks(text).flatMap(({ line, text: code }) =>
      Array.from({ length: code.split('\n').length + 1 }, (_, offset) => line + offset),
    ),
  )
