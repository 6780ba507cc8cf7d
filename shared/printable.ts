/**
 * Characters that a terminal may interpret or that a reader cannot see: control characters (including the C1 range
 * U+0080 to U+009F), format characters such as bidirectional overrides, line and paragraph separators, spaces other
 * than U+0020, surrogates, characters that fonts leave blank, and unassigned code points.
 * {@link https://www.unicode.org/reports/tr44/#General_Category_Values}
 */
const unprintable = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu

/**
 * Returns a text with each unprintable character as `\uXXXX`, one escape for each UTF-16 unit, so that a reader sees it
 * and no terminal interprets it. A JSON text keeps its meaning, and escaping twice changes nothing. One character
 * becomes up to twelve, so cut a text afterwards.
 */
export const printable = (text: string): string => text.replace(unprintable, escapeUnits)

/** Does the same for each line of a text with several lines. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n')

/** Returns one UTF-16 unit as JSON, YAML and Java's properties escape it, such as `\u2028`. */
export const escapeUnicode = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const escapeUnits = (character: string): string => character.split('').map(escapeUnicode).join('')
