import type { Test } from 'tap'
import { sidecarContainer } from '../../../shared/names.ts'
import { makeServiceAccount, pod, type Container } from './apps.ts'
import { connectEmulator, makeVault, type EmulatorClient } from './emulator.ts'
import { apply, kubectl, makeNamespace } from './kubectl.ts'
import { logHas, readyPod } from './pods.ts'

/** A pod `app` that is told when the secret `db-password`, at first `one`, changes. */
export interface ToldPod {
  namespace: string
  vault: string
  emulator: EmulatorClient
  rotate: (value: string) => Promise<void>
  /** Waits until the sidecar has logged as many deliveries. */
  delivered: (count?: number) => Promise<string>
  exec: (container: string, ...command: string[]) => Promise<string>
}

export interface ToldPodOptions {
  annotations?: Record<string, string>
  containers: Container[]
  spec?: object
  /** Applied before the pod. */
  objects?: (namespace: string) => object[]
  labels?: Record<string, string>
}

export async function makeToldPod(t: Test, options: ToldPodOptions): Promise<ToldPod> {
  const { annotations = {}, containers, spec = {}, objects = () => [], labels = {} } = options
  const namespace = await makeNamespace(t, labels)
  const emulator = await connectEmulator(t)
  const vault = await makeVault(t)
  await emulator.setSecret(vault, 'db-password', 'one')
  await makeServiceAccount(namespace)
  const all = { vault, objects: 'db-password', 'poll-interval': '2s', signal: 'SIGHUP', ...annotations }
  await apply(...objects(namespace), pod(namespace, 'app', { annotations: all, containers, spec }))
  await readyPod(namespace, 'app')
  return {
    namespace,
    vault,
    emulator,
    rotate: (value) => emulator.setSecret(vault, 'db-password', value),
    delivered: (count = 1) =>
      logHas(namespace, 'app', sidecarContainer, new RegExp(`("outcome":"delivered"[^]*){${count}}`)),
    exec: (container, ...command) => kubectl(['exec', '-n', namespace, 'app', '-c', container, '--', ...command]),
  }
}
