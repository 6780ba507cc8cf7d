import { checkedPrefix } from '../variables.ts'
import { textOf } from './contents.ts'
import { RenderFailure } from './rendered.ts'

/**
 * Limit in bytes of a line of the file, of a variable with its name, and of all variables of a process: the kubelet reads lines of
 * 64 KiB, and Linux takes 128 KiB for a variable and, with the default stack, 2 MiB for all of them and the arguments.
 * {@link https://man7.org/linux/man-pages/man2/execve.2.html}
 */
const longestLine = 64 * 1024 - 1
const longestVariable = 128 * 1024
export const longestVariables = 1024 * 1024

/**
 * Prints the file of a variable as the kubelet reads it: `NAME='VALUE'`, in which everything up to the next quote is literal.
 * {@link https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/}
 * @throws {@link RenderFailure} for a value that a variable cannot have; the message has no part of the value
 */
export function printVariable(name: string, content: Uint8Array): Buffer {
  const obstacle = variableObstacle(name, content)
  if (obstacle !== undefined)
    throw new RenderFailure(
      `it ${obstacle}, which the environment variable ${name} cannot have; store another value, or remove ${name} from the annotation env and let the app read the file`,
    )
  return Buffer.concat([Buffer.from(`${name}='`), content, Buffer.from("'\n")])
}

/** Why a variable cannot have a value, after `it`; undefined if it can. */
function variableObstacle(name: string, content: Uint8Array): string | undefined {
  const text = textOf(content)
  if (text === undefined) return 'is not UTF-8 text'
  if (text === '') return 'is empty'
  // The container runtime would print such a value in the pod's status.
  if (text.includes('\0')) return 'contains a NUL character'
  if (text.includes("'")) return 'contains a single quote'
  // The kubelet drops a carriage return at the end of a line.
  if (text.includes('\r\n')) return 'has lines that end with CRLF'
  const size = variableSize(name, content)
  if (size > longestVariable) return `takes ${size} bytes with its name, more than the ${longestVariable} of Linux`
  const line = longest(`${name}='${text}'`)
  if (line > longestLine) return `has a line of ${line} bytes, more than the ${longestLine} that the kubelet reads`
  return undefined
}

/** Bytes that a variable takes of a process's environment, under the longest of its names. */
export const variableSize = (name: string, content: Uint8Array): number =>
  checkedPrefix.length + name.length + content.length + 2

/** Returns the bytes of the longest line. */
function longest(text: string): number {
  if (text.length * 3 <= longestLine) return 0
  return text.split('\n').reduce((most, line) => Math.max(most, Buffer.byteLength(line)), 0)
}

/** The file of a variable whose optional object does not exist: the kubelet leaves the variable out. */
export const noVariable = Buffer.alloc(0)
