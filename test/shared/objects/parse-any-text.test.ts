import fc from 'fast-check'
import t from 'tap'
import { checkObject, objectFields, parseObjects } from '../../../shared/objects/parse.ts'
import { pathProblem } from '../../../shared/paths.ts'

/** Texts that look like the annotation, to get past the first checks. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'ab0-_/@=,.~ \n\t:[]{}"\'#&*!|>%\\$\u0000é😀') }),
  fc
    .array(
      fc.constantFrom(
        'secret/',
        'key/',
        'a',
        'b-c',
        '@',
        '=',
        ',',
        '\n',
        '../',
        '/',
        '- ',
        'name: ',
        'path: ',
        'objects:',
        'templates:',
        '{',
        '}',
        '[',
        ']',
        ' ',
        '&x ',
        '*x',
        '? ',
        '~',
        'null',
      ),
    )
    .map((parts) => parts.join('')),
)

void t.test('objects: no text makes the parser throw, and no accepted path leaves the volume', async () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parsed = parseObjects(text)
      if (!parsed.ok) return parsed.problems.length > 0 && parsed.problems.every((problem) => problem !== '')
      const { objects, templates, bundles } = parsed.value
      const paths = [...objects.map(({ path }) => path), ...Object.keys(templates), ...Object.keys(bundles)]
      return (
        paths.every((path) => pathProblem(path) === undefined) &&
        objects.every(({ name }) => /^[0-9a-zA-Z-]+$/.test(name))
      )
    }),
    { numRuns: 5000 },
  )
})

void t.test('objects: no map of fields makes the parser throw', async () => {
  const value = fc.oneof(
    anyText,
    fc.constant(null),
    fc.constantFrom('pfx', 'base64', 'true', '3', '0440'),
    fc.array(fc.string()),
    fc.integer(),
  )
  const field = fc.oneof(fc.constantFrom(...objectFields), fc.string(), fc.constantFrom('__proto__', 'constructor'))
  fc.assert(
    fc.property(fc.dictionary(field, value), (fields) => {
      const parsed = checkObject(fields, 'here')
      return parsed.ok
        ? pathProblem(parsed.value.path) === undefined
        : parsed.problems.every((problem) => problem.startsWith('here: '))
    }),
    { numRuns: 3000 },
  )
})
