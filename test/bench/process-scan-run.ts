/** Looks for a signal's target in its own pod, again and again, and prints how long that took, as {@link Looks}. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { createProcFolder } from '../../sidecar/notify/signal/procfs.ts'
import { chooseTarget } from '../../sidecar/notify/signal/target.ts'
import type { Looks } from './process-scan.ts'

const runs = 20
const processes = Number(process.argv[2])
const proc = createProcFolder()
const looks: Looks = { entry: [], named: [], floor: [] }

function readAll(): void {
  const buffer = Buffer.alloc(4096)
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  if (pids.length < processes) throw new Error(`there are ${pids.length} processes instead of ${processes}`)
  for (const pid of pids) {
    const file = openSync(`/proc/${pid}/stat`, 'r')
    readSync(file, buffer)
    closeSync(file)
  }
}

async function choose(process?: string): Promise<void> {
  const choice = await chooseTarget(proc, { container: 'app', ...(process !== undefined && { process }) })
  if ('outcome' in choice || choice.processes.length !== 1) throw new Error(JSON.stringify(choice))
}

async function timed(samples: number[], run: () => void | Promise<void>): Promise<void> {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  samples.push((user + system) / 1000)
}

// Alternating, so that other load affects all of them.
for (let run = 0; run < runs; run++) {
  await timed(looks.floor, readAll)
  await timed(looks.entry, () => choose())
  await timed(looks.named, () => choose('sh'))
}
console.log(JSON.stringify(looks))
