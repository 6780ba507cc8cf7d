import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'
import { isReady, type Running } from '../support/sidecar-bundle.ts'
import { quick, sidecarFixture } from '../support/sidecar-fixture.ts'
import { nodeFlags } from '../../webhook/inject/sidecar-container.ts'
import { until } from '../support/until.ts'

/** The kubelet asks from the node's address, which no pod has. */
const prober = '127.0.0.1'
const one = ['127.0.0.2']
const twenty = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`)

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: pod\r\n`
const metrics = `${get('/metrics')}\r\n`

interface Attack {
  from: string[]
  /** Sent once connected. */
  first?: string
  /** Sent every 20 ms from then on. */
  then?: string
  /** True for a client that never reads what it is sent. */
  deaf?: boolean
  /** At least so many connections, at 10,000 a minute or faster. Default 1,000. */
  connections?: number
}

const attacks: Record<string, Attack> = {
  'half-open connections from one address': { from: one, connections: 2_000 },
  'half-open connections from 20 addresses': { from: twenty, connections: 2_000 },
  'half-open connections from the address of the prober': { from: [prober] },
  'headers that never end': { from: twenty, first: get('/livez'), then: 'x: y\r\n' },
  'headers that are huge': { from: twenty, first: get('/livez') + `x: ${'y'.repeat(7_000)}\r\n`.repeat(10) },
  'bodies that never end': {
    from: twenty,
    first: `POST /livez HTTP/1.1\r\nHost: pod\r\nContent-Length: 1000000000\r\n\r\n`,
    then: 'x',
  },
  'connections that are kept alive': { from: twenty, first: `${get('/livez')}Connection: keep-alive\r\n\r\n` },
  'a thousand requests at once on each connection': { from: twenty, first: metrics.repeat(1_000), deaf: true },
  'answers that are never read': { from: twenty, first: metrics, deaf: true },
  'costly requests': { from: twenty, first: metrics },
}

/** Runs an attack at its full width until it has had its connections. @returns how many there were */
async function run(
  { from, first = '', then, deaf = false, connections = 1_000 }: Attack,
  port: number,
): Promise<number> {
  const open = new Set<Socket>()
  let count = 0
  const end = performance.now() + 60_000
  while (count < connections && performance.now() < end) {
    for (let index = 0; index < 5; index++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: from[count++ % from.length] })
      open.add(socket)
      socket.on('error', () => undefined).on('close', () => open.delete(socket))
      socket.on('connect', () => socket.write(first))
      if (deaf) socket.pause()
      else socket.resume()
    }
    if (then !== undefined) for (const socket of open) socket.write(then)
    await sleep(20)
  }
  for (const socket of open) socket.destroy()
  return count
}

/** A probe as the kubelet sends it, on a connection of its own. @returns how long it took, in milliseconds */
async function probe(port: number): Promise<number> {
  const start = performance.now()
  const socket = connect({ port, host: '127.0.0.1', localAddress: prober, timeout: 5_000 })
  socket.on('timeout', () => socket.destroy(new Error('no answer within 5 s')))
  socket.end(`${get('/livez')}Connection: close\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  if (!String(answer).startsWith('HTTP/1.1 200')) throw new Error(String(answer))
  return performance.now() - start
}

const residentMegabytes = ({ process }: Running): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8'))?.[1]) / 1024

const closedConnections = async (url: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/connections_closed_total\{limit="[a-zA-Z]+"\} (\d+)/.exec(text)?.[1] ?? 0)
}

void t.test('hostile neighbors: the port of the sidecar answers every probe under attack', async (t) => {
  const names = Array.from({ length: 150 }, (_, index) => `password-of-a-service-with-a-long-name-${index}`)
  const fixture = await sidecarFixture(t, names, { ...quick, pollInterval: 3_600_000 })
  for (const name of names) fixture.emulator.vault('my-kv').setSecret(name, 'x'.repeat(1_000))
  const sidecar = fixture.start({ flags: [...nodeFlags] })
  await isReady(sidecar)
  const port = Number(new URL(sidecar.url).port)
  for (let count = 0; count < 20; count++) await probe(port)
  const calm = residentMegabytes(sidecar)

  for (const [title, attack] of Object.entries(attacks)) {
    await t.test(`hostile neighbors: ${title}`, async (t) => {
      const under = run(attack, port)
      let isOver = false
      void under.finally(() => (isOver = true))
      const times: number[] = []
      const failures: string[] = []
      let resident = 0
      while (!isOver) {
        await probe(port).then(
          (time) => times.push(time),
          (error: Error) => failures.push(error.message),
        )
        resident = Math.max(resident, residentMegabytes(sidecar))
        await sleep(20)
      }
      const connections = await under
      times.sort((a, b) => a - b)
      const summary = `${connections} connections; ${times.length} probes, the slowest ${Math.round(times.at(-1) ?? 0)} ms; ${Math.round(calm)} -> ${Math.round(resident)} MB`
      t.comment(summary)
      t.strictSame(failures, [], 'every probe is answered')
      t.ok(times.length > 20, summary)
      t.ok(resident < calm + 30, summary)
    })
  }
  t.ok((await closedConnections(sidecar.url)) > 0, 'the connections that were closed are counted')
  await until('no connection is left behind', async () => (await probe(port)) < 1_000)
})
