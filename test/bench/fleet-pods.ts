import { createLogger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings.ts'
import { Sidecar, type Effects } from '../../sidecar/app.ts'
import { liveNames, type LiveTexts } from '../../sidecar/live.ts'
import { Registry } from '../../sidecar/metrics.ts'
import type { NotifierStatus } from '../../sidecar/notify/notifier.ts'
import { rendering } from '../../sidecar/rendering.ts'
import type { StoredSet } from '../../sidecar/volume/volume.ts'
import { chance } from '../sidecar/support/chance.ts'
import { settingsWith } from '../sidecar/support/settings.ts'
import type { FleetClock } from './fleet-clock.ts'
import type { FleetVault } from './fleet-vault.ts'

export interface FleetPod {
  sidecar: Sidecar
  /** When its first set was complete, and when it was last switched: on the clock that never goes back. */
  readyAt: number | undefined
  switchedAt: number | undefined
}

const noAnnotations = Object.fromEntries(liveNames.map((name) => [name, ''])) as LiveTexts
const nobody: NotifierStatus = { channels: {}, targets: [] }

/** Starts that many sidecars at the same moment: the real ones, but for volume, app and vault, which are in memory. */
export function startFleet(count: number, secrets: number, vault: FleetVault, clock: FleetClock): FleetPod[] {
  const names = Array.from({ length: secrets }, (_, index) => `secret-${index}`)
  const settings = settingsWith(names, { logLevel: 'error' })
  return Array.from({ length: count }, (_, seed) => startPod(settings, vault, clock, chance(seed)))
}

function startPod(settings: Settings, vault: FleetVault, clock: FleetClock, random: () => number): FleetPod {
  const volume = new MemoryVolume(() => {
    pod.switchedAt = clock.elapsed()
    pod.readyAt ??= pod.switchedAt
  })
  const sidecar = new Sidecar(settings, {
    ...{ clock, random, volume },
    vault: () => vault,
    render: rendering(settings),
    notifier: () => ({ notify: () => undefined, status: () => nobody, close: () => undefined }),
    liveTexts: () => noAnnotations,
    pod: { name: 'web-0', namespace: 'shop' },
    log: createLogger('error', { write: () => undefined }),
    notStarted: () => undefined,
    started: () => undefined,
    registry: new Registry(),
  })
  const pod: FleetPod = { sidecar, readyAt: undefined, switchedAt: undefined }
  void sidecar.run('run', new AbortController().signal)
  return pod
}

class MemoryVolume {
  #set: StoredSet | undefined
  #notified: string | undefined
  readonly #onSwitch: () => void

  constructor(onSwitch: () => void) {
    this.#onSwitch = onSwitch
  }

  read = () => Promise.resolve(this.#set)
  clean = () => Promise.resolve()
  notified = () => Promise.resolve(this.#notified)
  markNotified = (id: string) => Promise.resolve(void (this.#notified = id))
  switchTo: Effects['volume']['switchTo'] = (files, manifest) => {
    this.#set = { files, manifest }
    this.#onSwitch()
    return Promise.resolve()
  }
}
