import { Counter, Gauge, type Registry } from 'prom-client'

/** A row of a program's metrics table, which the documentation uses too. */
export interface Metric {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
}

/** Returns a function that creates rows whose names have a prefix. */
export const metricsOf =
  (prefix: string) =>
  (type: Metric['type'], name: string, help: string, labels: readonly string[] = []): Metric => ({
    ...{ name: `${prefix}${name}`, type, help, labels },
  })

/** The row of the process's memory, whose name all programs share. */
export const memoryMetric: Metric = {
  ...{ name: 'process_resident_memory_bytes', type: 'gauge', help: 'Resident memory size in bytes.', labels: [] },
}

/** Creates the metrics of rows in a registry. */
export function createIn(registry: Registry) {
  /** What every metric of a row has. */
  const of = ({ name, help, labels }: Metric) => ({ name, help, labelNames: [...labels], registers: [registry] })
  /** Adds a value that is read when the metrics are scraped. */
  const read = (row: Metric, value: () => number): void => {
    const collect = function (this: Gauge | Counter): void {
      this.reset()
      this.inc(value())
    }
    if (row.type === 'gauge') new Gauge({ ...of(row), collect })
    else new Counter({ ...of(row), collect })
  }
  const counter = (row: Metric) => new Counter(of(row))
  const gauge = (row: Metric) => new Gauge(of(row))
  return { of, counter, gauge, read }
}
