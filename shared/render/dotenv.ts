interface Style {
  quote: string
  /** Which values these quotes preserve. */
  fits: (value: string) => boolean
  /** Whether a POSIX shell reads them, too. */
  shell: boolean
}

/**
 * There is no standard: these are the styles that Node's `--env-file`, the `dotenv` package and, for the first two,
 * POSIX shells read in the same way. They share no escape for a quote or a backslash, and `dotenv` takes a backslash
 * before the closing quote as an escape.
 */
const styles: Style[] = [
  { quote: "'", fits: (value) => !/'|\\$/.test(value), shell: true },
  { quote: '"', fits: (value) => !/["$`\\]/.test(value), shell: true },
  { quote: '"', fits: (value) => !/"|\\[nr]|\\$/.test(value), shell: false },
  { quote: '`', fits: (value) => !/`|\\$/.test(value), shell: false },
  { quote: '', fits: (value) => value === value.trim() && !/^['"`]|[\n\u2028\u2029#]/.test(value), shell: false },
]

/** Ends a shell that reads the file, with a message; dotenv parsers skip a line without an equals sign. */
const guard = ': "${DOTENV_ONLY:?this file has a value that dotenv parsers can read and a shell cannot}"\n'

/**
 * Prints variables for dotenv parsers and, if possible, for a shell's `set -a; . file`. If the file has a value that a
 * shell would misread (and, worse, expand), a shell that reads it stops before the first variable.
 * @param entries values without a {@link dotenvObstacle} by the variable's name
 */
export function printDotenv(entries: ReadonlyMap<string, string>): string {
  let text = ''
  let shell = true
  for (const [name, value] of entries) {
    const style = styleFor(value)
    if (style === undefined) throw new TypeError('a value that dotenv cannot hold is refused before')
    shell &&= style.shell
    text += `${name}=${style.quote}${value}${style.quote}\n`
  }
  return shell ? text : guard + text
}

/** Environment variables end at NUL, and Node drops carriage returns. */
const styleFor = (value: string): Style | undefined =>
  /[\0\r]/.test(value) ? undefined : styles.find(({ fits }) => fits(value))

/** Returns why dotenv cannot represent a value, to be put after the name of its secret; undefined if it can. */
export function dotenvObstacle(value: string): string | undefined {
  if (styleFor(value) !== undefined) return undefined
  if (value.includes('\0'))
    return 'holds a NUL character, which no environment variable can; use json, yaml or properties'
  if (value.includes('\r')) return 'holds a carriage return, which dotenv parsers drop; use json, yaml or properties'
  return "mixes quotes, backslashes and line breaks in a way that dotenv's quoting cannot hold; use json, yaml or properties"
}
