/**
 * A notifier in a process of its own, as a pod's container: node sidecar-process.ts OPTIONS. Every line of its input is a
 * notification, or `status`; every line of its output says what it came to.
 */
import { createInterface } from 'node:readline'
import type { Logger } from '../../../../shared/log.ts'
import { Registry } from '../../../../sidecar/report/metrics.ts'
import type { Notification } from '../../../../sidecar/notify/notification.ts'
import { createNotifier, type NotifierOptions } from '../../../../sidecar/notify/notifier.ts'
import { Reporter } from '../../../../sidecar/report/reporter.ts'

const { uid, ...options } = JSON.parse(process.argv[2] ?? '{}') as Pick<NotifierOptions, 'signal' | 'url'> & {
  uid?: number
}
// Only now, since the repository may be readable for its owner only.
if (uid !== undefined) {
  process.setgroups?.([])
  process.setgid?.(uid)
  process.setuid?.(uid)
}

const tell = (line: object): void => console.log(JSON.stringify(line))
const registry = new Registry()
const report = new Reporter({} as Logger, registry)
const note = (level: string) => (_: unknown, message?: string) => tell({ log: { level, message } })
const notifier = createNotifier({
  ...options,
  splay: 0,
  onDelivered: (delivered) => tell({ delivered }),
  onOutcome(outcome) {
    report.outcome(outcome)
    tell({ outcome })
  },
  onPermission(permission) {
    report.permission(permission)
    tell({ permission })
  },
  log: { info: note('info'), warn: note('warn'), error: console.error },
})

for await (const line of createInterface(process.stdin)) {
  if (line === 'status') tell({ status: notifier.status(), metrics: registry.text() })
  else notifier.notify(JSON.parse(line) as Notification)
}
notifier.close()
