import { rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Cloud } from '../../../shared/clouds/clouds.ts'
import type { SignIn } from '../../../shared/vault/sign-in/credential.ts'
import type { KeyVault, VaultRequest } from '../../../shared/vault/key-vault/client.ts'
import { openVaults, type VaultDependencies, type OpenVaults } from '../../../shared/vault/open-vaults.ts'
// The first sign-in loads it, which takes a second from sources: longer than some tests let a request take.
import '../../../shared/vault/sign-in/federated.ts'
import { VaultFailure } from '../../../shared/vault/store.ts'
import { startEmulator, type Emulator, type EmulatorOptions } from '../../emulator/emulator.ts'
import { makeIssuer, type TestIssuer } from '../../emulator/issuer.ts'
import { resolveToLoopback } from '../../emulator/resolve.ts'
import { objectSpec } from '../../support/object-spec.ts'

/** An emulator with an issuer and an identity, and what it takes to open its vaults as the sidecar does. */
export interface VaultFixture {
  emulator: Emulator
  issuer: TestIssuer
  clientId: string
  /** The file of the pod's token. */
  tokenFile: string
  cloud: Cloud
  environment: Record<string, string>
  requests: VaultRequest[]
  signIns: SignIn[]
  /** Opens vaults by name for the pod's own identity, ended with the fixture. */
  open(
    names: string[],
    options?: { cloud?: Partial<Cloud>; effects?: VaultDependencies; environment?: Record<string, string> },
  ): OpenVaults
  /** The same for a single vault. */
  vault(name: string, options?: Parameters<VaultFixture['open']>[1]): KeyVault
  end(): Promise<void>
}

export async function startVaultFixture(options: EmulatorOptions = {}): Promise<VaultFixture> {
  const undo = resolveToLoopback('*.localhost')
  const issuer = makeIssuer()
  const clientId = randomUUID()
  const emulator = await startEmulator({
    issuers: [issuer],
    credentials: [{ clientId, issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web' }],
    ...options,
  })
  const tokenFile = join(tmpdir(), `vault-token-${randomUUID()}`)
  writeFileSync(tokenFile, await issuer.token({ namespace: 'shop', serviceAccount: 'web' }), { mode: 0o600 })
  const cloud: Cloud = {
    authorityHost: emulator.authorityHost,
    vaultSuffix: 'vault.localhost',
    caCertificates: emulator.ca,
  }
  const environment = {
    AZURE_TENANT_ID: emulator.tenant,
    AZURE_CLIENT_ID: clientId,
    AZURE_FEDERATED_TOKEN_FILE: tokenFile,
  }
  const requests: VaultRequest[] = []
  const signIns: SignIn[] = []
  const opened: OpenVaults[] = []

  const open: VaultFixture['open'] = (names, wanted = {}) => {
    const vaults = openVaults(
      {
        clouds: { test: { ...cloud, ...wanted.cloud } },
        identities: [{ cloud: 'test' }],
        objects: names.map((name) => objectSpec('db-password', { vault: emulator.url(name).slice(0, -1) })),
      },
      { ...environment, ...wanted.environment },
      {
        onRequest: (request) => void requests.push(request),
        onSignIn: (signIn) => void signIns.push(signIn),
        timeoutMs: 5000,
        ...wanted.effects,
      },
    )
    if (!vaults.ok) throw new Error(vaults.problems.join('; '))
    opened.push(vaults.value)
    return vaults.value
  }
  return {
    ...{ emulator, issuer, clientId, tokenFile, cloud, environment, requests, signIns, open },
    vault: (name, wanted) => open([name], wanted).all[0]!,
    async end() {
      undo()
      for (const one of opened) one.close()
      rmSync(tokenFile, { force: true })
      await emulator.close()
    },
  }
}

/** A vault in the emulator, and as the sidecar sees it. */
interface FreshVault {
  name: string
  store: ReturnType<Emulator['vault']>
  vault: KeyVault
}

/** Starts a fixture for all tests of a file, which begin without faults, grants and records, and what makes vaults for them. */
export async function shareVaultFixture(t: Pick<Test, 'beforeEach' | 'teardown'>) {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  t.beforeEach(() => {
    fixture.emulator.faults.clear()
    fixture.emulator.access.clear()
    fixture.emulator.journal.reset()
    fixture.requests.length = fixture.signIns.length = 0
  })
  let names = 0
  /** A vault that no other test of the file knows. */
  const fresh = (options?: Parameters<VaultFixture['vault']>[1]): FreshVault => {
    const name = `kv-${++names}`
    return { name, store: fixture.emulator.vault(name), vault: fixture.vault(name, options) }
  }
  return { fixture, fresh }
}

/** What a call that must fail fails with. */
export async function failure(call: Promise<unknown>): Promise<VaultFailure> {
  try {
    await call
  } catch (error) {
    if (error instanceof VaultFailure) return error
    throw error
  }
  throw new Error('The call did not fail.')
}

/** A signal that never aborts. */
export const never = new AbortController().signal
