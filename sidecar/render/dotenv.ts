import { variableName } from '../../shared/bundle.ts'
import { RenderFailure } from './rendered.ts'

interface Style {
  quote: string
  /** Which values read back as they are between these quotes. */
  fits: (value: string) => boolean
  /** Whether a POSIX shell reads them as well. */
  shell: boolean
}

/**
 * There is no standard: this is what Node's `--env-file`, the `dotenv` package and, in the first two styles, POSIX shells read
 * alike. None of them has an escape for a quote or a backslash that all understand, and `dotenv` takes a backslash before
 * the closing quote for one.
 */
const styles: Style[] = [
  { quote: "'", fits: (value) => !/'|\\$/.test(value), shell: true },
  { quote: '"', fits: (value) => !/["$`\\]/.test(value), shell: true },
  { quote: '"', fits: (value) => !/"|\\[nr]|\\$/.test(value), shell: false },
  { quote: '`', fits: (value) => !/`|\\$/.test(value), shell: false },
  { quote: '', fits: (value) => value === value.trim() && !/^['"`]|[\n\u2028\u2029#]/.test(value), shell: false },
]

/** Ends a shell's reading with its message; dotenv parsers pass over a line without an equals sign. */
const guard = ': "${DOTENV_ONLY:?this file has a value that dotenv parsers can read and a shell cannot}"\n'

/**
 * Prints variables for dotenv parsers and, where it can be done, for a shell's `set -a; . file`. A shell that reads a file with
 * a value that it would misread (and, worse, expand) stops before the first variable.
 * @throws {@link RenderFailure} for a value that no style can hold
 */
export function printDotenv(entries: ReadonlyMap<string, string>): string {
  let text = ''
  let shell = true
  for (const [name, value] of entries) {
    const style = styleFor(value)
    if (style === undefined) throw new RenderFailure(`secret ${name} ${obstacle(value)}; use json, yaml or properties`)
    shell &&= style.shell
    text += `${variableName(name)}=${style.quote}${value}${style.quote}\n`
  }
  return shell ? text : guard + text
}

/** Environment variables end at NUL, and Node drops carriage returns. */
const styleFor = (value: string): Style | undefined =>
  /[\0\r]/.test(value) ? undefined : styles.find(({ fits }) => fits(value))

function obstacle(value: string): string {
  if (value.includes('\0')) return 'holds a NUL character, which no environment variable can'
  if (value.includes('\r')) return 'holds a carriage return, which dotenv parsers drop'
  return "mixes quotes, backslashes and line breaks in a way that dotenv's quoting cannot hold"
}
