import { decodeJwt } from 'jose'
import type { EmulatorOptions } from './emulator.ts'
import { podCredentials, type ApiServer } from './in-cluster.ts'
import type { FederatedCredential, JwksSource, TrustedIssuer } from './trust.ts'

/** What the environment variables say; see main.ts for their meaning. */
export interface Settings {
  options: EmulatorOptions
  adminPort: number
  adminAddress: string
  proxyPort: number
  vaults: string[]
  /** Where to write the CA's certificate; a temporary folder if absent. */
  caFile: string | undefined
  /** A ConfigMap to put it into as well. */
  publish: { api: ApiServer; configMap: string } | undefined
  /** Nobody is trusted: make an issuer, so that there is somebody who can sign in. */
  ownIssuer: boolean
}

type Environment = Record<string, string | undefined>

/** Reads the settings; `read` returns a file's text. Throws an error that names the variable. */
export function readSettings(env: Environment, read: (file: string) => string): Settings {
  const number = (name: string, initial: number) => {
    const value = Number(env[name] ?? initial)
    if (!Number.isInteger(value) || value < 0) throw new Error(`${name}=${env[name]} is not a whole number.`)
    return value
  }
  const issuer = issuerOf(env, read)
  return {
    options: {
      address: env['EMULATOR_ADDRESS'] ?? '127.0.0.1',
      port: number('EMULATOR_PORT', 0),
      tokenLifetime: number('EMULATOR_TOKEN_LIFETIME', 3600),
      names: list(env['EMULATOR_NAMES']),
      ...text('suffix', env['EMULATOR_SUFFIX']),
      ...text('authorityHost', env['EMULATOR_AUTHORITY_HOST']),
      ...text('tenant', env['EMULATOR_TENANT']),
      ...tls(env, read),
      ...(issuer && { issuers: [issuer], credentials: credentialsOf(env, issuer) }),
    },
    adminPort: number('EMULATOR_ADMIN_PORT', 0),
    adminAddress: env['EMULATOR_ADMIN_ADDRESS'] ?? '127.0.0.1',
    proxyPort: number('EMULATOR_PROXY_PORT', 0),
    vaults: list(env['EMULATOR_VAULTS'] ?? 'my-kv'),
    caFile: env['EMULATOR_CA_OUT'],
    publish: publishOf(env, read),
    ownIssuer: !issuer,
  }
}

function issuerOf(env: Environment, read: (file: string) => string): TrustedIssuer | undefined {
  if (env['EMULATOR_TRUST_CLUSTER'] === 'true') {
    // The pod's own token names the cluster's issuer.
    const { iss = '' } = decodeJwt(read(`${podCredentials}/token`).trim())
    const url = `https://kubernetes.default.svc/openid/v1/jwks`
    return {
      issuer: iss,
      jwks: { url, caFile: `${podCredentials}/ca.crt`, tokenFile: `${podCredentials}/token` },
    }
  }
  const issuer = env['EMULATOR_ISSUER']
  return issuer === undefined ? undefined : { issuer, jwks: jwksOf(env) }
}

function publishOf(env: Environment, read: (file: string) => string): Settings['publish'] {
  const configMap = env['EMULATOR_CA_CONFIGMAP']
  if (!configMap) return undefined
  const [ca, token] = [read(`${podCredentials}/ca.crt`), read(`${podCredentials}/token`).trim()]
  return { configMap, api: { url: 'https://kubernetes.default.svc', ca, token } }
}

function jwksOf(env: Environment): JwksSource {
  if (env['EMULATOR_JWKS_FILE']) return { file: env['EMULATOR_JWKS_FILE'] }
  if (!env['EMULATOR_JWKS_URL']) throw new Error('EMULATOR_ISSUER needs EMULATOR_JWKS_FILE or EMULATOR_JWKS_URL.')
  return {
    url: env['EMULATOR_JWKS_URL'],
    ...text('caFile', env['EMULATOR_JWKS_CA_FILE']),
    ...text('tokenFile', env['EMULATOR_JWKS_TOKEN_FILE']),
  }
}

const credentialsOf = (env: Environment, { issuer }: TrustedIssuer): FederatedCredential[] =>
  list(env['EMULATOR_CLIENT_IDS'] ?? '*').flatMap((clientId) =>
    list(env['EMULATOR_SUBJECTS'] ?? 'system:serviceaccount:*:*').map((subject) => ({ clientId, issuer, subject })),
  )

function tls(env: Environment, read: (file: string) => string): Pick<EmulatorOptions, 'tls'> {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: ca } = env
  if (!cert && !key) return {}
  if (!cert || !key) throw new Error('TLS_CERT_FILE and TLS_KEY_FILE go together.')
  return { tls: { cert: read(cert), key: read(key), ca: read(ca ?? cert) } }
}

const list = (value: string | undefined) =>
  (value ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)

const text = <K extends string>(key: K, value: string | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: string }
