import { rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cloud } from '../../../shared/clouds.ts'
import type { ObjectType } from '../../../shared/object-spec.ts'
import type { SignIn } from '../../../sidecar/vault/credential.ts'
import type { KeyVault, VaultRequest } from '../../../sidecar/vault/key-vault.ts'
import { openVaults, type Effects, type OpenVaults } from '../../../sidecar/vault/open-vaults.ts'
import { VaultFailure } from '../../../sidecar/vault/vault.ts'
import { startEmulator, type Emulator, type EmulatorOptions } from '../../emulator/emulator.ts'
import { makeIssuer, type TestIssuer } from '../../emulator/issuer.ts'
import { resolveToLoopback } from '../../emulator/resolve.ts'

/** An emulator with an issuer and an identity, and what it takes to open its vaults as the sidecar does. */
export interface Stage {
  emulator: Emulator
  issuer: TestIssuer
  clientId: string
  /** The file of the pod's token. */
  tokenFile: string
  cloud: Cloud
  environment: Record<string, string>
  requests: VaultRequest[]
  signIns: SignIn[]
  /** Opens vaults by name for the pod's own identity, ended with the stage. */
  open(
    names: string[],
    options?: { cloud?: Partial<Cloud>; effects?: Effects; environment?: Record<string, string> },
  ): OpenVaults
  /** The same for a single vault. */
  vault(name: string, options?: Parameters<Stage['open']>[1]): KeyVault
  end(): Promise<void>
}

export async function startVaultStage(options: EmulatorOptions = {}): Promise<Stage> {
  const undo = resolveToLoopback('*.localhost')
  const issuer = makeIssuer()
  const clientId = randomUUID()
  const emulator = await startEmulator({
    issuers: [issuer],
    credentials: [{ clientId, issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web' }],
    ...options,
  })
  const tokenFile = join(tmpdir(), `vault-token-${randomUUID()}`)
  writeFileSync(tokenFile, issuer.token({ namespace: 'shop', serviceAccount: 'web' }), { mode: 0o600 })
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

  const open: Stage['open'] = (names, wanted = {}) => {
    const vaults = openVaults(
      {
        clouds: { test: { ...cloud, ...wanted.cloud } },
        identities: [{ cloud: 'test' }],
        objects: names.map((name) => objectOf(emulator.url(name).slice(0, -1))),
      },
      { ...environment, ...wanted.environment },
      {
        onRequest: (request) => void requests.push(request),
        onSignIn: (signIn) => void signIns.push(signIn),
        timeout: 5000,
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

/** An object of the settings with every default. */
export const objectOf = (vault: string, identity = 0, type: ObjectType = 'secret', name = 'db-password') => ({
  ...{ vault, identity, type, name, path: name },
  ...({ history: 1, format: 'pem', encoding: 'utf-8', optional: false, split: false } as const),
})

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

/** A signal that nobody ends. */
export const never = new AbortController().signal
