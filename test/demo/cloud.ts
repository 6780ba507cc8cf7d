import { stringify } from 'yaml'
import { startEmulator, type Emulator } from '../emulator/emulator.ts'
import { makeIssuer, type TestIssuer } from '../emulator/issuer.ts'
import { clientId, namespace, serviceAccount } from './cluster.ts'
import { coordinatorClient, coordinatorSubject } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'

/** A cloud on this machine, and a cluster's issuer that it trusts. */
export interface Cloud {
  emulator: Emulator
  issuer: TestIssuer
  /** The administrator's file, which tells the webhook about this cloud. */
  configuration: string
  /** A token of the pod's ServiceAccount, as the kubelet projects it. */
  signToken: (audience: string, expiresIn: number) => Promise<string>
}

/** Names that no resolver knows: sidecars reach them through the proxy in the administrator's file. */
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
    credentials: [
      { clientId, issuer: issuer.issuer, subject },
      { clientId: coordinatorClient, issuer: issuer.issuer, subject: coordinatorSubject },
    ],
  })
  const configuration = {
    tenantId: emulator.tenant,
    cloud: 'Emulator',
    clouds: { Emulator: { authorityHost, vaultSuffix: suffix, caCertificates: emulator.ca } },
    proxy: { httpsProxy: await emulator.proxy() },
    bounds: { 'poll-interval': { min: '50ms' } },
    // Everything that runs here shares one address.
    sidecarPort: await freePort(),
  }
  return {
    emulator,
    issuer,
    configuration: stringify(configuration),
    signToken: (audience, expiresIn) => issuer.token({ namespace, serviceAccount, audience, expiresIn }),
  }
}
