import type { Test } from 'tap'
import { sidecarContainer } from '../../../shared/names.ts'
import { pod, type Container } from './apps.ts'
import { apply, kubectl } from './kubectl.ts'
import { logHas, readyPod } from './pods.ts'
import { makeFixture, type Fixture } from './fixture.ts'

/** A pod `app` that is notified when the secret `db-password`, at first `one`, changes. */
export interface NotifiedPod extends Fixture {
  rotate: (value: string) => Promise<void>
  /** Waits until the sidecar has logged that many deliveries. */
  delivered: (count?: number) => Promise<string>
  exec: (container: string, ...command: string[]) => Promise<string>
}

export interface NotifiedPodOptions {
  annotations?: Record<string, string>
  containers: Container[]
  spec?: object
  /** Applied before the pod. */
  objects?: (namespace: string) => object[]
  labels?: Record<string, string>
}

export async function makeNotifiedPod(t: Test, options: NotifiedPodOptions): Promise<NotifiedPod> {
  const { annotations = {}, containers, spec = {}, objects = () => [], labels = {} } = options
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'one' }, labels)
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
