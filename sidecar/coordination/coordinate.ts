import { SessionLoop, type SessionLoopOptions } from '../../shared/coordination/session-loop.ts'
import type { Coordinate, Coordination } from '../poll/coordination.ts'
import { Applied } from './applied.ts'
import { Coverage } from './coverage.ts'

/** Returns what coordinates a sidecar's polls with the coordinator that its settings name. */
export const createCoordination =
  (options: SessionLoopOptions): Coordinate =>
  (host) => {
    const { clock, random, access } = options
    const coverage = new Coverage({ host, clock, random, coverageAgeMs: access.coverageAge })
    const applied = new Applied(host)
    const { turns } = host
    const sessions = new SessionLoop(options, {
      served: () => coverage.served(),
      state: () => applied.state(),
      reported: (snapshot, objects) => coverage.reported(snapshot, objects),
      take(event) {
        coverage.take(event)
        if (event.name === 'turn') turns?.take(event)
      },
      disconnected() {
        coverage.disconnected()
        turns?.disconnected()
      },
      ...(turns && { turn: () => turns.state(), isUrgent: () => turns.isUrgent }),
    })
    const pollBegan: Coordination['pollBegan'] = (vault) => {
      const ended = coverage.pollBegan(vault)
      const settled = applied.pollBegan(vault)
      return (read, isHinted) => {
        settled()
        ended(read, isHinted)
        sessions.changed()
      }
    }
    return {
      isCovered: (vault) => coverage.isCovered(vault),
      hinted: (vault) => coverage.hinted(vault),
      pollBegan,
      check() {
        coverage.check()
        sessions.check()
      },
      turnChanged: () => sessions.turnChanged(),
      leave: () => sessions.leave(),
      get isConnected() {
        return sessions.isConnected
      },
      get isTrusted() {
        return sessions.isTrusted
      },
      run: (abort) => sessions.run(abort),
    }
  }
