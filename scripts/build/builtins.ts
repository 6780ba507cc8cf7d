import { createRequire, isBuiltin } from 'node:module'
import type { Plugin } from 'esbuild'

const require = createRequire(import.meta.url)

/**
 * Takes Node's own modules by `process.getBuiltinModule`, each when something of it is first used. Importing `node:http` as an
 * ES module reads every export of it once, and with that loads undici, http2 and workers, some 5 MB in each sidecar that nobody
 * uses; and libraries import zlib or assert that are not used here.
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
  // A class may be extended; only `assert` is no more than called.
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
