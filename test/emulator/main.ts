/**
 * `npm run emulator`: the Key Vault emulator as a process of its own. Prints one JSON line to stdout as soon as it listens, and
 * the same for people to stderr; ends at once on SIGTERM and SIGINT.
 *
 * EMULATOR_PORT, EMULATOR_ADDRESS        where vaults and authority listen (a free port on 127.0.0.1)
 * EMULATOR_ADMIN_PORT, .._ADMIN_ADDRESS  the admin API, plain HTTP (likewise); see admin.ts
 * EMULATOR_PROXY_PORT                    the proxy that leads every host name here (a free port)
 * EMULATOR_VAULTS                        vaults to begin with, by comma (my-kv)
 * EMULATOR_SUFFIX, EMULATOR_NAMES        what follows the vault's name (vault.localhost); further names in the certificate, by comma
 * EMULATOR_AUTHORITY_HOST, .._TENANT     what challenges name (https://localhost:<port>/ and a fixed id)
 * EMULATOR_TOKEN_LIFETIME                seconds (3600)
 * EMULATOR_CA_OUT                        file to write the CA's certificate to (in a temporary folder)
 * EMULATOR_CA_CONFIGMAP                  in a pod: <namespace>/<name> of a ConfigMap to put it into as ca.crt (in-cluster.ts)
 * TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE   a certificate to serve instead of one made here
 * EMULATOR_TRUST_CLUSTER=true            in a pod: trusts the ServiceAccount tokens of its own cluster
 * EMULATOR_ISSUER with EMULATOR_JWKS_FILE or EMULATOR_JWKS_URL (.._JWKS_CA_FILE, .._JWKS_TOKEN_FILE)   trusts another issuer
 * EMULATOR_CLIENT_IDS, EMULATOR_SUBJECTS   who of them may sign in as what, patterns by comma (*; system:serviceaccount:*:*)
 *
 * Without an issuer to trust it makes one, and writes a ServiceAccount token of it beside the CA.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startEmulator } from './emulator.ts'
import { readSettings } from './environment.ts'
import { publishCa } from './in-cluster.ts'
import { makeIssuer } from './issuer.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))

const settings = readSettings(process.env, (file) => readFileSync(file, 'utf8'))
const emulator = await startEmulator(settings.options)
settings.vaults.forEach((name) => emulator.vault(name))
const admin = await emulator.admin(settings.adminPort, settings.adminAddress)
const proxy = await emulator.proxy(settings.proxyPort)
const ca = settings.caFile ?? join(temporaryFolder(), 'ca.crt')
writeFileSync(ca, emulator.ca)
if (settings.publish) await publishCa(settings.publish.api, settings.publish.configMap, emulator.ca)

const { authorityHost, tenant } = emulator
const vault = emulator.url(settings.vaults[0] ?? 'my-kv')
const token = settings.ownIssuer ? await writeToken(join(dirname(ca), 'token')) : undefined
console.log(
  JSON.stringify({ vault, authorityHost, tenant, admin, proxy, ca, ...(token && { token }), pid: process.pid }),
)
console.error(
  [
    `Key Vault emulator: ${vault}`,
    `  authority   ${authorityHost}  tenant ${tenant}`,
    `  CA          ${ca}  (NODE_EXTRA_CA_CERTS, curl --cacert)`,
    `  any host    HTTPS_PROXY=${proxy}`,
    `  write       curl -X PUT ${admin}/admin/vaults/my-kv/secrets/hello -d '{"value":"world"}'`,
    ...(token ? [`  sign in     ${signIn(token)}`] : []),
    `  read        curl --cacert ${ca} -H "Authorization: Bearer $TOKEN" '${vault}secrets/hello?api-version=7.6'`,
  ].join('\n'),
)

/** A folder that goes when the process does. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'key-vault-emulator-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function writeToken(file: string): Promise<string> {
  const issuer = makeIssuer()
  emulator.trust(issuer)
  emulator.federate({ clientId: '*', issuer: issuer.issuer, subject: 'system:serviceaccount:*:*' })
  writeFileSync(file, await issuer.token({ expiresIn: 24 * 3600 }), { mode: 0o600 })
  return file
}

function signIn(file: string): string {
  const form = [
    '-d grant_type=client_credentials -d client_id=my-app',
    `-d scope=https://${settings.options.suffix ?? 'vault.localhost'}/.default`,
    '-d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    `--data-urlencode client_assertion@${file}`,
  ]
  const url = `${authorityHost}${tenant}/oauth2/v2.0/token`
  return `TOKEN=$(curl -s --cacert ${ca} ${url} ${form.join(' ')} | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`
}
