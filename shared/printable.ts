/**
 * Everything that a terminal may obey or that a reader cannot see: control characters (the C1 range U+0080 to U+009F included),
 * format characters such as bidirectional overrides, line and paragraph separators, spaces other than U+0020, surrogates,
 * characters that fonts leave blank, and code points without a character.
 * {@link https://www.unicode.org/reports/tr44/#General_Category_Values}
 */
const unprintable = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu

/**
 * A text with each unprintable character as `\uXXXX`, one escape for each UTF-16 unit, so that a person sees it and no terminal
 * obeys it. A JSON text keeps its meaning; to escape a text twice changes nothing. One character becomes up to twelve: cut afterwards.
 */
export const printable = (text: string): string => text.replace(unprintable, escapeUnits)

/** The same for each line of a text that may have several. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n')

/** `\u2028`: one UTF-16 unit as JSON, YAML and Java's properties escape it. */
export const escapeUnicode = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const escapeUnits = (character: string): string => character.split('').map(escapeUnicode).join('')
