import { barChart } from './chart.ts'
import type { Result } from './results.ts'

interface Bar {
  name: string
  id: string
  /** Shows the floor of the row instead of its value. */
  floor?: true
}

/** Bars of one unit next to each other; peers were measured by others, on two such cores. */
const charts: { name: string; title: string; unit: string; bars: Bar[]; peers?: { name: string; value: number }[] }[] =
  [
    {
      name: 'memory',
      title: 'Anonymous memory',
      unit: 'MB',
      bars: [
        { name: 'sidecar', id: 'sidecar-memory' },
        { name: 'bare node, same flags', id: 'sidecar-memory', floor: true },
        { name: 'webhook, 5,000 ServiceAccounts', id: 'webhook-memory' },
        { name: 'bare node', id: 'webhook-memory', floor: true },
      ],
    },
    {
      name: 'sidecar-start',
      title: 'From process start',
      unit: 'ms',
      bars: [
        { name: 'first request on the wire', id: 'sidecar-first-request' },
        { name: 'ready, ten objects', id: 'sidecar-ready' },
        { name: 'bare node, same flags', id: 'sidecar-first-request', floor: true },
      ],
    },
    {
      name: 'webhook-cpu',
      title: 'Processor time per review of a 4 kB pod',
      unit: 'ms',
      bars: [
        { name: 'akv-injector', id: 'webhook-cpu' },
        { name: 'empty HTTPS route', id: 'webhook-cpu', floor: true },
      ],
      peers: [
        { name: 'vault-k8s 1.7.6', value: 0.49 },
        { name: 'workload identity webhook', value: 0.66 },
      ],
    },
  ]

/** Returns the charts that can be drawn from the results, by name. */
export function chartsOf(results: readonly Result[]): Map<string, string> {
  const drawn = new Map<string, string>()
  for (const { name, title, unit, bars, peers = [] } of charts) {
    const known = bars.flatMap(({ name, id, floor }) => {
      const result = results.find((one) => one.id === id)
      const value = floor ? result?.floor : result?.value
      return value === undefined || value === null ? [] : [{ name, value }]
    })
    if (known.length > 0) drawn.set(name, barChart({ title, unit, bars: [...known, ...peers] }))
  }
  return drawn
}
