import { createLogger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { Sidecar, type SidecarDependencies } from '../../sidecar/sidecar.ts'
import { liveNames, type LiveTexts } from '../../sidecar/live/annotations.ts'
import { Registry } from '../../sidecar/report/metrics.ts'
import type { NotifierStatus } from '../../sidecar/notify/notifier.ts'
import { createRenderer } from '../../shared/render/renderer.ts'
import type { StoredSet } from '../../sidecar/volume/volume.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { settingsWith } from '../support/settings.ts'
import type { FleetClock } from './fleet-clock.ts'
import type { FleetVault } from './fleet-vault.ts'

export interface FleetPod {
  sidecar: Sidecar
  /** When its first set was complete and when it was last switched, on the monotonic clock. */
  readyAt: number | undefined
  switchedAt: number | undefined
}

const noAnnotations = Object.fromEntries(liveNames.map((name) => [name, ''])) as LiveTexts
const noApp: NotifierStatus = { channels: {}, targets: [] }

/** Starts sidecars at the same moment: the real ones, except for volume, app and vault, which are in memory. */
export function startFleet(count: number, secrets: number, vault: FleetVault, clock: FleetClock): FleetPod[] {
  const names = Array.from({ length: secrets }, (_, index) => `secret-${index}`)
  const settings = settingsWith(names, { logLevel: 'error' })
  return Array.from({ length: count }, (_, seed) => startPod(settings, vault, clock, seededRandom(seed)))
}

function startPod(settings: Settings, vault: FleetVault, clock: FleetClock, random: () => number): FleetPod {
  const volume = new MemoryVolume(() => {
    pod.switchedAt = clock.elapsed()
    pod.readyAt ??= pod.switchedAt
  })
  const sidecar = new Sidecar(settings, {
    ...{ clock, random, volume },
    vault: () => vault,
    render: createRenderer(settings),
    notifier: () => ({
      notify: () => undefined,
      watchClosely: () => undefined,
      status: () => noApp,
      close: () => undefined,
    }),
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
  switchTo: SidecarDependencies['volume']['switchTo'] = (files, manifest) => {
    this.#set = { files, manifest }
    this.#onSwitch()
    return Promise.resolve()
  }
}
