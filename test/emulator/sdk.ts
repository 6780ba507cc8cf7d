import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TokenCredential } from '@azure/core-auth'
import type { PipelinePolicy, PipelineResponse, RestError } from '@azure/core-rest-pipeline'
import { WorkloadIdentityCredential } from '@azure/identity'
import { CertificateClient } from '@azure/keyvault-certificates'
import { KeyClient } from '@azure/keyvault-keys'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import { startEmulator, type Emulator, type EmulatorOptions } from './emulator.ts'
import { makeIssuer, type TestIssuer } from './issuer.ts'
import { resolveToLoopback } from './resolve.ts'

/** An emulator with an issuer and a client of its own, and the Azure SDKs' clients for it as an application would make them. */
export interface EmulatorFixture {
  emulator: Emulator
  issuer: TestIssuer
  clientId: string
  /** A credential over a token file; by default one with a good ServiceAccount token. */
  credential(options?: CredentialOptions): WorkloadIdentityCredential
  secrets(vault: string, credential?: TokenCredential, options?: SecretClientOptions): SecretClient
  keys(vault: string, credential?: TokenCredential): KeyClient
  certificates(vault: string, credential?: TokenCredential): CertificateClient
  /** The last response to one of the vault clients, as it came over the wire. */
  readonly last: PipelineResponse | undefined
  /** Ends the emulator and removes the token files. */
  end(): Promise<void>
}

export interface CredentialOptions {
  /** The ServiceAccount token. */
  token?: string
  clientId?: string
  tenantId?: string
  disableInstanceDiscovery?: boolean
}

/** Starts an emulator, and makes `*.vault.localhost` resolve in this process. Nothing is retried by the clients. */
export async function startFixture(options: EmulatorOptions = {}): Promise<EmulatorFixture> {
  const undo = resolveToLoopback('*.localhost')
  const issuer = makeIssuer(options.now ? { now: options.now } : {})
  const clientId = randomUUID()
  const token = await issuer.token({ namespace: 'shop', serviceAccount: 'web', expiresIn: 365 * 24 * 3600 })
  const emulator = await startEmulator({
    issuers: [issuer],
    credentials: [{ clientId, issuer: issuer.issuer, subject: 'system:serviceaccount:*:*' }],
    ...options,
  })
  const common = { tlsOptions: { ca: emulator.ca }, retryOptions: { maxRetries: 0 } }
  let last: PipelineResponse | undefined
  const watch: PipelinePolicy = {
    name: 'watch',
    async sendRequest(request, next) {
      last = undefined
      last = await next(request)
      return last
    },
  }
  const watched = { ...common, additionalPolicies: [{ policy: watch, position: 'perRetry' as const }] }
  const files: string[] = []

  const credential = (wanted: CredentialOptions = {}) => {
    const file = join(tmpdir(), `emulator-token-${randomUUID()}`)
    writeFileSync(file, wanted.token ?? token, { mode: 0o600 })
    files.push(file)
    return new WorkloadIdentityCredential({
      ...common,
      tenantId: wanted.tenantId ?? emulator.tenant,
      clientId: wanted.clientId ?? clientId,
      tokenFilePath: file,
      authorityHost: emulator.authorityHost,
      disableInstanceDiscovery: wanted.disableInstanceDiscovery ?? true,
    })
  }

  return {
    emulator,
    issuer,
    clientId,
    credential,
    secrets: (vault, one: TokenCredential = credential(), own = {}) =>
      new SecretClient(emulator.url(vault), one, { ...watched, ...own }),
    keys: (vault, one: TokenCredential = credential()) => new KeyClient(emulator.url(vault), one, watched),
    certificates: (vault, one: TokenCredential = credential()) =>
      new CertificateClient(emulator.url(vault), one, watched),
    get last() {
      return last
    },
    async end() {
      undo()
      for (const file of files) rmSync(file, { force: true })
      await emulator.close()
    },
  }
}

/** What a failed call of an Azure client says: status, Key Vault's code and inner code. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ status?: number; code?: string; inner?: string; message: string }> {
  try {
    await promise
  } catch (error) {
    const { statusCode, code, message, details } = error as Partial<RestError> & Error
    const { innerError } = (details as { error?: { innerError?: { code: string } } } | undefined)?.error ?? {}
    const inner = innerError?.code
    return { ...(statusCode && { status: statusCode }), ...(code && { code }), ...(inner && { inner }), message }
  }
  throw new Error('The call did not fail.')
}
