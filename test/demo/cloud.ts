import { createServer } from 'node:net'
import { stringify } from 'yaml'
import { startEmulator, type Emulator } from '../emulator/emulator.ts'
import { makeIssuer } from '../emulator/issuer.ts'
import { clientId, namespace, serviceAccount } from './cluster.ts'

/** A cloud of this machine's own, and a cluster's issuer that it trusts. */
export interface Cloud {
  emulator: Emulator
  /** The administrator's file that tells the webhook of this cloud. */
  configuration: string
  /** A token of the pod's ServiceAccount, as the kubelet projects it. */
  signToken: (audience: string, expiresIn: number) => string
}

/** Names that no resolver knows: sidecars reach them through the proxy that the administrator's file names. */
const suffix = 'vault.emulator.example'
const authorityHost = 'https://login.emulator.example/'

export async function startCloud(): Promise<Cloud> {
  const issuer = makeIssuer()
  const subject = `system:serviceaccount:${namespace}:${serviceAccount}`
  const emulator = await startEmulator({
    suffix,
    authorityHost,
    names: [new URL(authorityHost).hostname],
    issuers: [issuer],
    credentials: [{ clientId, issuer: issuer.issuer, subject }],
  })
  const configuration = {
    tenantId: emulator.tenant,
    cloud: 'Emulator',
    clouds: { Emulator: { authorityHost, vaultSuffix: suffix, caCertificates: emulator.ca } },
    proxy: { httpsProxy: await emulator.proxy() },
    bounds: { 'poll-interval': { min: '50ms' } },
    // All that runs here shares one address.
    sidecarPort: await freePort(),
  }
  return {
    emulator,
    configuration: stringify(configuration),
    signToken: (audience, expiresIn) => issuer.token({ namespace, serviceAccount, audience, expiresIn }),
  }
}

/** A port that nothing listens on, below the range from which the kernel gives out its own. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false)).listen(port, () => server.close(() => resolve(true)))
  return promise
}
