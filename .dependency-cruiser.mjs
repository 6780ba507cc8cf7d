/**
 * Which folder may import which. `npm run check` fails on a circular import and on an import that points up: each list goes
 * from low to high, and a file imports only from its own row and from the rows before it.
 */
const shared = [
  'shared/[a-z-]+[.]ts',
  'shared/(objects|clouds)/',
  'shared/(annotations|settings|kubernetes|coordination)/',
  'shared/vault/',
  'shared/render/',
  'shared/detect/',
  '(certs|sidecar)/',
  'webhook/',
  'coordinator/',
]
const webhook = [
  'webhook/(reasons|limits|environment|early-signals)[.]ts',
  'webhook/pod/',
  'webhook/configuration/',
  'webhook/plan/',
  'webhook/inject/',
  'webhook/cluster/',
  'webhook/review/',
  'webhook/report/',
  'webhook/request/',
  'webhook/server[.]ts',
  'webhook/main[.]ts',
  // What writes Kubernetes Secrets reads classes and configuration as the webhook does.
  'sync/',
  // The command line decides as the webhook does, without its server.
  'cli/',
]
const sidecar = [
  'sidecar/(settings|early-signals)[.]ts',
  'sidecar/notify/',
  'sidecar/volume/',
  'sidecar/poll/',
  'sidecar/coordination/',
  'sidecar/turns/',
  'sidecar/(outcome-anchors|termination-message|startup-deadline)[.]ts',
  'sidecar/live/',
  'sidecar/report/',
  'sidecar/dependencies[.]ts',
  'sidecar/sidecar[.]ts',
  'sidecar/run[.]ts',
  'sidecar/main[.]ts',
]

const upward = (rows) =>
  rows.slice(0, -1).map((row, index) => ({
    name: `from ${row} up`,
    severity: 'error',
    from: { path: `^${row}` },
    to: { path: rows.slice(index + 1).map((higher) => `^${higher}`) },
  }))

export default {
  forbidden: [
    { name: 'circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'programs are apart',
      severity: 'error',
      from: { path: '^sidecar/' },
      to: { path: '^(certs|webhook|coordinator|sync)/' },
    },
    {
      // It reads the administrator's file, and nothing else of the webhook.
      name: 'the coordinator is apart',
      severity: 'error',
      from: { path: '^coordinator/' },
      to: { path: '^(sidecar|cli|sync|webhook/(?!configuration/))' },
    },
    ...[shared, webhook, sidecar].flatMap(upward),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    includeOnly: '^(shared|webhook|sidecar|certs|cli|coordinator|sync)/',
  },
}
