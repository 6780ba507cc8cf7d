import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { createLogger } from '../../shared/log.ts'

function logTo() {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) }
  return { lines, destination }
}

void t.test('log: a line has its level, an ISO time, the fields and the message', async (t) => {
  let written = ''
  createLogger('info', { write: (line) => (written += line) }).warn({ event: 'x', msg: 'no', none: undefined }, 'said')
  t.match(written, /^\{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","event":"x","msg":"said"\}\n$/)
})

void t.test('log: lower levels are omitted, and the level can change', async (t) => {
  const { lines, destination } = logTo()
  const log = createLogger('warn', destination)
  const all = () => (['trace', 'debug', 'info', 'warn', 'error'] as const).forEach((level) => log[level]({}, level))
  all()
  t.strictSame(
    lines.splice(0).map(({ msg }) => msg),
    ['warn', 'error'],
  )
  log.level = 'debug'
  all()
  t.strictSame(
    lines.map(({ level }) => level),
    ['debug', 'info', 'warn', 'error'],
  )
})

void t.test('log: an error is logged with its stack', async (t) => {
  const { lines, destination } = logTo()
  createLogger('info', destination).error({ err: new TypeError('broken') }, 'failed')
  t.match(lines, [{ err: { type: 'TypeError', message: 'broken', stack: /log\.test\.ts/ } }])
})

void t.test('log: a slow reader gets every line, also through a non-blocking pipe', async (t) => {
  const count = 3000
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '../../shared/log.ts'))}
    // The stream of Node makes the pipe one that does not block.
    if (process.argv[1] === 'stream') void process.stdout.fd
    const log = createLogger('info')
    for (let index = 0; index < ${count}; index++) log.info({ index, filler: 'é'.repeat(500) }, 'line')
    process.exit(0)`
  for (const kind of ['plain', 'stream']) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, kind], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>])
    t.equal(code, 0, kind)
    const indices = output
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { index: number }).index)
    t.strictSame(
      indices,
      Array.from({ length: count }, (_, index) => index),
      kind,
    )
  }
})

void t.test('log: a reader that is gone does not end the process', async (t) => {
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '../../shared/log.ts'))}
    process.stdin.resume().on('end', () => {
      createLogger('info').info({}, 'to nobody')
      console.error('alive')
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  child.stdout.destroy()
  await once(child.stdout, 'close')
  child.stdin.end()
  const [said] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.equal(said, 'alive\n')
})
