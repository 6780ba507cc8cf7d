import { createRequire, isBuiltin } from 'node:module'
import type { Plugin } from 'esbuild'

const require = createRequire(import.meta.url)

/**
 * Loads modules of Node with `process.getBuiltinModule`, each when something in it is first used. Importing `node:http` as
 * an ES module reads each of its exports once, which loads undici, http2 and workers: about 5 MB in each sidecar that are
 * never used. Libraries also import modules that are not used here, such as zlib or assert.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) ? { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: late(path), loader: 'js' }))
  },
}

function late(name: string): string {
  if (name === 'process') return 'module.exports = process'
  const whole = require(name) as object
  const get = `process.getBuiltinModule(${JSON.stringify(name)})`
  // Code may extend a class. `assert` is only called.
  if (typeof whole === 'function' && name !== 'assert') return `module.exports = ${get}`
  const keys = Object.keys(whole).map((key) => JSON.stringify(key))
  // The properties are inherited: esbuild copies those that a module has itself wherever it is imported, thousands in all.
  return `
    let whole
    const get = () => (whole ??= ${get})
    const made = ${typeof whole === 'function' ? '(...values) => get()(...values)' : '{}'}
    const properties = Object.create(Object.getPrototypeOf(made))
    for (const key of [${keys.join()}])
      Object.defineProperty(properties, key, { get: () => get()[key], enumerable: true })
    module.exports = Object.setPrototypeOf(made, properties)
  `
}
