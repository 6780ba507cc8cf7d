import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import type { Notification } from '../../../sidecar/notify/notification.ts'
import {
  createNotifier,
  type NotifierOptions,
  type OutcomeReport,
  type PermissionReport,
} from '../../../sidecar/notify/notifier.ts'
import { fakeTiming } from './fake-timing.ts'
import { type ProcessSpec, writePod } from './signal/proc-tree.ts'

export const app = { pid: 20, comm: 'app', container: 'app', caught: ['SIGHUP'] } satisfies ProcessSpec
export const hup = { name: 'SIGHUP', container: 'app' } as const

/** A notifier over files for /proc, a kill(2) that remembers and a clock that stands still. */
export function fixture(t: Test, processes: ProcessSpec[], options: Partial<NotifierOptions> = { signal: hup }) {
  const folder = writePod(options.proc ?? t.testdir(), processes)
  const timing = fakeTiming()
  const refused: Record<number, string> = {}
  const sent: [number, string][] = []
  const seen = {
    folder,
    timing,
    /** Pids that may not be signaled, with kill's error code. */
    refused,
    /** The signals sent, without the tries with signal 0. */
    sent,
    tries: 0,
    delivered: [] as string[],
    outcomes: [] as OutcomeReport[],
    permissions: [] as PermissionReport[],
    log: [] as { level: string; message: string }[],
  }
  const note = (level: string) => (_: unknown, message?: string) =>
    void seen.log.push({ level, message: message ?? '' })
  const notifier = createNotifier({
    splay: 0,
    proc: folder,
    kill(pid, signal) {
      const code = refused[pid]
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      if (signal === 0) seen.tries++
      else sent.push([pid, signal])
    },
    clock: timing.clock,
    random: timing.random,
    onDelivered: (id) => void seen.delivered.push(id),
    onOutcome: (report) => seen.outcomes.push(report),
    onPermission: (report) => seen.permissions.push(report),
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    ...options,
  })
  t.teardown(() => notifier.close())
  return { ...seen, seen, notifier }
}

export function change(id: string, switchedAt: number, dueAt = switchedAt): Notification {
  return { id, switchedAt, dueAt, changed: [{ type: 'secret', name: 'db', version: id, paths: ['db'] }] }
}

/** An app's reload URL: what it was told, and what it answers. */
export async function listen(t: Test) {
  const told: { id: string; changed: { version: string }[] }[] = []
  const app = { url: '', told, status: 200 }
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      told.push(JSON.parse(body) as (typeof told)[number])
      response.writeHead(app.status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  app.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload`
  return app
}
