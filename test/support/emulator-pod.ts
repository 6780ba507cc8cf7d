import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createQueue } from '../../shared/concurrency.ts'
import { SourceCache } from '../../shared/detect/cache.ts'
import { Failures } from '../../shared/detect/failures.ts'
import { Selection } from '../../shared/detect/selection.ts'
import { createRenderer } from '../../shared/render/renderer.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { PollContext, PollResult } from '../../sidecar/poll/context.ts'
import { pollVault } from '../../sidecar/poll/poll.ts'
import { Volume } from '../../sidecar/volume/volume.ts'
import type { Vault as EmulatedVault } from '../emulator/vault.ts'
import { startVaultFixture, type VaultFixture } from '../shared/vault/fixture.ts'
import { memoryFolder } from './temporary-folder.ts'

/** A pod whose polls a test runs one by one: real requests to the emulator, a real volume. */
export interface EmulatorPod {
  fixture: VaultFixture
  vault: EmulatedVault
  context: PollContext
  /** Runs a poll, and counts its requests by operation, challenges excluded. */
  poll(): Promise<{ result: PollResult; requests: Record<string, number> }>
  files(): string[]
  text(path: string): string
}

/** @param settings of a pod whose only vault is `my-kv` */
export async function emulatorPod(t: Test, settings: (vault: string) => Settings): Promise<EmulatorPod> {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  const { emulator } = fixture
  const opened = fixture.vault('my-kv')
  const plan = settings(opened.url)
  const clock = { now: Date.now, elapsed: () => performance.now() }
  const failures = new Failures(clock)
  const selection = plan.find && new Selection({ ...plan, find: plan.find })
  const cache = new SourceCache(plan, { clock, random: Math.random, failures, selection })
  const mount = memoryFolder('find-')
  let serving = false
  const context: PollContext = {
    ...{ settings: plan, cache, failures, render: createRenderer(plan), volume: new Volume(mount), clock },
    random: Math.random,
    vault: () => opened,
    abort: new AbortController().signal,
    notify: () => undefined,
    volumeCheck: { dueAt: Infinity, isRestoring: false },
    quietMs: () => 0,
    isServing: () => serving,
    exclusively: createQueue(),
  }
  return {
    fixture,
    vault: emulator.vault('my-kv'),
    context,
    async poll() {
      emulator.journal.reset()
      opened.beginPoll()
      const result = await pollVault(opened.url, context)
      serving ||= result.current !== undefined
      const { challenge: _challenge, ...requests } = emulator.journal.counts('my-kv')
      return { result, requests }
    },
    files: () => readdirSync(mount).filter((name) => !name.startsWith('..')),
    text: (path) => readFileSync(join(mount, path), 'utf8'),
  }
}
