import { createLogger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { Sidecar, type SidecarDependencies } from '../../sidecar/sidecar.ts'
import { liveNames, type LiveTexts } from '../../sidecar/live/annotations.ts'
import { Registry } from '../../sidecar/report/metrics.ts'
import type { Coordination } from '../../sidecar/poll/coordination.ts'
import type { NotifierStatus } from '../../sidecar/notify/notifier.ts'
import { createRenderer } from '../../shared/render/renderer.ts'
import type { StoredSet } from '../../sidecar/volume/volume.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { settingsWith, vaultUrl } from '../support/settings.ts'
import type { FleetClock } from './fleet-clock.ts'
import { access, type FleetCoordinator } from './fleet-coordinator.ts'
import type { FleetVault } from './fleet-vault.ts'

export interface FleetPod {
  sidecar: Sidecar
  /** When its first set was complete and when it was last switched, on the monotonic clock. */
  readyAt: number | undefined
  switchedAt: number | undefined
  /** When its app was last notified, on the same clock. */
  notifiedAt: number | undefined
  /** The value of a secret that the app sees. */
  file: (name: string) => string | undefined
  isCovered: () => boolean
}

export interface FleetOptions {
  pods: number
  secrets: number
  vault: FleetVault
  clock: FleetClock
  /** Absent for pods that only poll. */
  coordinator?: FleetCoordinator
  heartbeatMs?: number
  settings?: Partial<Settings>
}

const noAnnotations = Object.fromEntries(liveNames.map((name) => [name, ''])) as LiveTexts
const noApp: NotifierStatus = { channels: {}, targets: [] }

/** Starts sidecars at the same moment: the real ones, except for volume, app and vault, which are in memory. */
export function startFleet({ pods, secrets, settings: own, ...others }: FleetOptions): FleetPod[] {
  const names = Array.from({ length: secrets }, (_, index) => `secret-${index}`)
  const settings = settingsWith(names, {
    logLevel: 'error',
    ...(others.coordinator && { coordinator: access }),
    ...own,
  })
  return Array.from({ length: pods }, (_, number) => startPod(settings, number, others))
}

function startPod(
  settings: Settings,
  number: number,
  { vault, clock, coordinator, heartbeatMs }: Omit<FleetOptions, 'pods' | 'secrets' | 'settings'>,
): FleetPod {
  const random = seededRandom(number)
  const coordinate = coordinator?.coordinate(number, random)
  let coordination: Coordination | undefined
  const volume = new MemoryVolume(() => {
    pod.switchedAt = clock.elapsed()
    pod.readyAt ??= pod.switchedAt
  })
  const sidecar = new Sidecar(settings, {
    ...{ clock, random, volume, heartbeatMs },
    vault: () => vault,
    render: createRenderer(settings),
    notifier: ({ onDelivered }) => ({
      notify({ id }) {
        pod.notifiedAt = clock.elapsed()
        void onDelivered(id)
      },
      watchClosely: () => undefined,
      status: () => noApp,
      close: () => undefined,
    }),
    liveTexts: () => noAnnotations,
    pod: { name: `web-${number}`, namespace: 'shop' },
    coordinate: coordinate && ((host) => (coordination = coordinate(host))),
    log: createLogger('error', { write: () => undefined }),
    notStarted: () => undefined,
    started: () => undefined,
    registry: new Registry(),
  })
  const pod: FleetPod = {
    ...{ sidecar, readyAt: undefined, switchedAt: undefined, notifiedAt: undefined },
    file: (name) => volume.text(name),
    isCovered: () => coordination?.isCovered(vaultUrl('my-kv')) ?? false,
  }
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

  text(path: string): string | undefined {
    const content = this.#set?.files.get(path)?.content
    return content && Buffer.from(content).toString()
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
