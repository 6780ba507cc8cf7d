import type { Plugin } from 'esbuild'

/** Modules that the libraries of a program load but the program never uses, and the replacement for each. */
export type StandIns = Readonly<Record<string, string>>

export const sidecarUnused: StandIns = {
  // In @azure/identity: for clients that sign their assertions with a certificate.
  jsonwebtoken: 'module.exports = {}',
  // For requests without an agent. All requests of the sidecar have an agent, which knows the proxy.
  'https-proxy-agent': 'exports.HttpsProxyAgent = class {}',
  'http-proxy-agent': 'exports.HttpProxyAgent = class {}',
}

/**
 * The sidecar uses one flow of MSAL: the sign-in of a confidential client with an assertion. These are the modules of the
 * other flows. Each exports a class of the same name.
 */
const otherSignIns = [
  ...['PublicClientApplication', 'OnBehalfOfClient', 'DeviceCodeClient', 'UsernamePasswordClient', 'LoopbackClient'],
  ...['UserFederatedIdentityCredentialClient', 'ManagedIdentityApplication', 'ManagedIdentityClient'],
  ...['AuthorizationCodeClient', 'RefreshTokenClient', 'SilentFlowClient'],
]

/** Leaves the modules of the other flows out. */
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
 * The webhook uses the Kubernetes client only to read kubeconfigs and the tokens of ServiceAccounts. It sends its own
 * requests with its own agent. Signing in with OpenID Connect, or in the old ways of Google and Azure, is for the kubeconfigs
 * of people, not for a pod.
 */
export const webhookUnused: StandIns = {
  // Fastify loads them at once, for routes with schemas. The webhook has none, and reads reviews itself.
  '@fastify/ajv-compiler': 'module.exports = () => undefined',
  '@fastify/fast-json-stringify-compiler': 'module.exports = () => undefined',
  // Fastify's requests without a network, for tests.
  'light-my-request': 'module.exports = undefined',
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

/** The command line has the webhook's code, and secretlint, which logs with a library that looks for colors. */
export const cliUnused: StandIns = { ...webhookUnused, 'supports-color': 'exports.level = 0' }

/** A replacement for a way to sign in. It applies to no user of a kubeconfig. */
function never(name: string): string {
  return `exports.${name} = class { isAuthProvider() { return false } }`
}

/** Leaves modules out. A relative path counts only if a package of `@kubernetes` imports it. */
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
