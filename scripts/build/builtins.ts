import { isBuiltin } from 'node:module'
import type { Plugin } from 'esbuild'

/**
 * Takes Node's own modules by `process.getBuiltinModule`: importing `node:http` as an ES module reads every export of it once,
 * and with that loads undici, http2 and workers, some 5 MB in each sidecar that nobody uses.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) ? { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = ${path === 'process' ? 'process' : `process.getBuiltinModule(${JSON.stringify(path)})`}`,
      loader: 'js',
    }))
  },
}
