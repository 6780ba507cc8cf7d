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
  const properties = Object.keys(whole).map((key) => JSON.stringify(key))
  return `
    let whole
    const get = () => (whole ??= ${get})
    module.exports = ${typeof whole === 'function' ? '(...values) => get()(...values)' : '{}'}
    for (const key of [${properties.join()}])
      Object.defineProperty(module.exports, key, { get: () => get()[key], enumerable: true })
  `
}
