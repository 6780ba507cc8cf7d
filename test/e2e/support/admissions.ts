import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { secretsVolume, standbyAnnotation } from '../../../shared/names.ts'
import { eventually } from './eventually.ts'

/** Pods that are created without a pause. */
export interface Admissions {
  /** The number of pods that were admitted with their sidecar. */
  admitted(): number
  /** The number of those that the webhook's standby injected. */
  byStandby(): number
  /** For each pod that was not admitted at first, what the API server answered until it was. */
  failures(): readonly string[][]
  /** Waits until that many more have been admitted. */
  more(count: number): Promise<void>
  stop(): Promise<void>
}

/** Leaves capacity on the machine, and in the API server's audit log, for the other scenarios. */
const pace = 25

/**
 * Creates the pod again and again until the test ends, two at a time; one that fails is tried again at once until it is admitted. They
 * are dry runs, which go through every webhook and leave nothing behind, over connections that stay: a program for each would be
 * most of the load.
 */
export async function admitPods(t: Test, namespace: string, pod: object): Promise<Admissions> {
  const url = `${await proxy(t)}/api/v1/namespaces/${namespace}/pods?dryRun=All`
  const failures: string[][] = []
  let admitted = 0
  let byStandby = 0
  let going = true
  const create = async (): Promise<string | undefined> => {
    const body = JSON.stringify(pod)
    try {
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      const text = await response.text()
      if (!response.ok) return `${response.status} ${(JSON.parse(text) as { message?: string }).message ?? text}`
      if (!text.includes(secretsVolume)) return 'admitted without the sidecar'
      if (text.includes(standbyAnnotation)) byStandby++
      return undefined
    } catch (error) {
      return String(error)
    }
  }
  const creating = [1, 2].map(async () => {
    while (going) {
      const said: string[] = []
      let message = await create()
      while (message !== undefined && going) {
        said.push(message)
        message = await create()
      }
      if (said.length > 0) failures.push(said)
      if (message === undefined) admitted++
      await sleep(pace)
    }
  })
  const stop = async (): Promise<void> => {
    going = false
    await Promise.all(creating)
  }
  t.teardown(stop)
  return {
    admitted: () => admitted,
    byStandby: () => byStandby,
    failures: () => failures,
    async more(count) {
      const least = admitted + count
      await eventually(`${count} more pods are admitted`, async () => admitted >= least)
    },
    stop,
  }
}

/** The address of a proxy to the API server that signs in like kubectl. */
async function proxy(t: Test): Promise<string> {
  const child = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  for await (const line of createInterface(child.stdout)) {
    const address = /127\.0\.0\.1:\d+/.exec(line)?.[0]
    if (address !== undefined) return `http://${address}`
  }
  throw new Error('kubectl proxy ended')
}
