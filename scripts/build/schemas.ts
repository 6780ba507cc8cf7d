import type { Plugin } from 'esbuild'
import { Code } from 'typebox/compile'
import { Settings } from '../../shared/settings/schema.ts'

/** Compiles the check of the settings at build time: building and walking schemas takes 5 MB of memory and 20 ms. */
export const schemas: Plugin = {
  name: 'schemas',
  setup(build) {
    build.onLoad({ filter: /\/shared\/settings\/is-settings\.ts$/ }, ({ path }) => ({
      contents: compiled(),
      resolveDir: path.replace(/\/[^/]*$/, ''),
      loader: 'js',
    }))
  },
}

/** A module that exports `isSettings`. The only values that the code refers to outside itself are regular expressions. */
function compiled(): string {
  const { Code: code, External } = Code(Settings)
  const variables = External.variables.map((variable) => {
    if (!(variable instanceof RegExp)) throw new TypeError(`the schema's code refers to ${typeof variable}`)
    return String(variable)
  })
  return `${code}\nSetExternal({ variables: [${variables.join(', ')}] })\nexport const isSettings = Check\n`
}
