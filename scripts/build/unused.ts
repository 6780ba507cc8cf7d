import type { Plugin } from 'esbuild'

/** Modules that a program's libraries load and that are never used in it, and what stands in for each. */
export type StandIns = Readonly<Record<string, string>>

export const sidecarUnused: StandIns = {
  // Of @azure/identity: clients that sign their assertions with a certificate.
  jsonwebtoken: 'module.exports = {}',
  // For requests that have no agent of their own; all of ours have one that knows the proxy.
  'https-proxy-agent': 'exports.HttpsProxyAgent = class {}',
  'http-proxy-agent': 'exports.HttpProxyAgent = class {}',
}

/**
 * Of MSAL the sidecar uses the sign-in of a confidential client with an assertion. These are the modules of the other ways; each
 * exports a class of its own name.
 */
const otherSignIns = [
  ...['PublicClientApplication', 'OnBehalfOfClient', 'DeviceCodeClient', 'UsernamePasswordClient', 'LoopbackClient'],
  ...['UserFederatedIdentityCredentialClient', 'ManagedIdentityApplication', 'ManagedIdentityClient'],
  ...['AuthorizationCodeClient', 'RefreshTokenClient', 'SilentFlowClient'],
]

/** Leaves them out. */
export const oneSignIn: Plugin = {
  name: 'one-sign-in',
  setup(build) {
    const filter = new RegExp(`/@azure/msal-(node|common)/.*/(${otherSignIns.join('|')})\\.mjs$`)
    build.onLoad({ filter }, ({ path }) => {
      const name = path.replace(/^.*\/|\.mjs$/g, '')
      return { contents: `export class ${name} {}`, loader: 'js' }
    })
  },
}

/**
 * The Kubernetes client is used for what it knows of kubeconfigs and ServiceAccounts' tokens alone; requests are our own, with an
 * agent of ours. Signing in by OpenID Connect or the old ways of Google and Azure is for people's kubeconfigs, not for a pod.
 */
export const webhookUnused: StandIns = {
  './gen/index.js': 'exports.createConfiguration = undefined; exports.ServerConfiguration = undefined',
  './middleware.js': 'exports.setHeaderMiddleware = undefined',
  './oidc_auth.js': never('OpenIDConnectAuth'),
  './gcp_auth.js': never('GoogleCloudPlatformAuth'),
  './azure_auth.js': never('AzureAuth'),
  undici: 'exports.Agent = exports.ProxyAgent = class {}',
  socks: 'exports.SocksClient = class {}',
  'socks-proxy-agent': 'exports.SocksProxyAgent = class {}',
  hpagent: 'exports.HttpProxyAgent = exports.HttpsProxyAgent = class {}',
}

/** A way to sign in that no user of a kubeconfig is taken to have. */
function never(name: string): string {
  return `exports.${name} = class { isAuthProvider() { return false } }`
}

/** Leaves modules out. A relative one is meant only where a package of `@kubernetes` imports it. */
export const unused = (standIns: StandIns): Plugin => ({
  name: 'unused',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
      const isMeant = !path.startsWith('.') || importer.includes('/node_modules/@kubernetes/')
      if (!isMeant || !Object.hasOwn(standIns, path)) return undefined
      return { path, namespace: 'unused', sideEffects: false }
    })
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({
      contents: standIns[path] ?? '',
      loader: 'js',
    }))
  },
})
