import type { Plugin } from 'esbuild'

/** What libraries of the sidecar load and never use here, and what stands in for it. */
const standIns: Readonly<Record<string, string>> = {
  // pino's transports in threads: the log goes to stdout.
  'thread-stream': 'module.exports = class {}',
  worker_threads: 'exports.isMainThread = true',
  // For requests that have no agent of their own; all of ours have one that knows the proxy.
  'https-proxy-agent': 'exports.HttpsProxyAgent = class {}',
  'http-proxy-agent': 'exports.HttpProxyAgent = class {}',
}

/** Leaves out what is never used: 25 kB, and modules of Node's that only it needs. */
export const unused: Plugin = {
  name: 'unused',
  setup(build) {
    build.onResolve({ filter: /^[^.]/ }, ({ path }) =>
      Object.hasOwn(standIns, path) ? { path, namespace: 'unused', sideEffects: false } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({
      contents: standIns[path] ?? '',
      loader: 'js',
    }))
  },
}
