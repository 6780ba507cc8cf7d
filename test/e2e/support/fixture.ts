import { makeServiceAccount } from './apps.ts'
import { connectEmulator, makeVault, type EmulatorClient } from './emulator.ts'
import { makeNamespace } from './kubectl.ts'
import type { Lifetime } from './process.ts'

/** A namespace for the test, opted in unless its labels say otherwise, with the ServiceAccount of its pods. */
export async function makeTeam(t: Lifetime, labels: Record<string, string> = {}): Promise<string> {
  const namespace = await makeNamespace(t, labels)
  await makeServiceAccount(namespace)
  return namespace
}

/** The start of most scenarios. */
export interface Fixture {
  namespace: string
  emulator: EmulatorClient
  vault: string
}

/** Creates a namespace, and a vault for it with these secrets. */
export async function makeFixture(
  t: Lifetime,
  secrets: Record<string, string>,
  labels: Record<string, string> = {},
): Promise<Fixture> {
  const namespace = await makeTeam(t, labels)
  const emulator = await connectEmulator(t)
  const vault = await makeVault(t)
  for (const [name, value] of Object.entries(secrets)) await emulator.setSecret(vault, name, value)
  return { namespace, emulator, vault }
}
