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

void t.test('a line has its level, an ISO time, the fields and the sentence', async (t) => {
  let written = ''
  createLogger('info', { write: (line) => (written += line) }).warn({ event: 'x', msg: 'no', none: undefined }, 'said')
  t.match(written, /^\{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","event":"x","msg":"said"\}\n$/)
})

void t.test('lower levels are left out, and the level may change', async (t) => {
  const { lines, destination } = logTo()
  const log = createLogger('warn', destination)
  const all = () => (['trace', 'debug', 'info', 'warn', 'error'] as const).forEach((level) => log[level]({}, level))
  all()
  t.strictSame(lines.splice(0).map(({ msg }) => msg), ['warn', 'error']) // prettier-ignore
  log.level = 'debug'
  all()
  t.strictSame(lines.map(({ level }) => level), ['debug', 'info', 'warn', 'error']) // prettier-ignore
})

void t.test('an error is told with its stack', async (t) => {
  const { lines, destination } = logTo()
  createLogger('info', destination).error({ err: new TypeError('broken') }, 'failed')
  t.match(lines, [{ err: { type: 'TypeError', message: 'broken', stack: /log\.test\.ts/ } }])
})

void t.test('a reader that is slow gets every line, of a pipe that does not block too', async (t) => {
  const count = 3000
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '../../shared/log.ts'))}
    // The stream of Node makes the pipe one that does not block.
    if (process.argv[1] === 'stream') void process.stdout.fd
    const log = createLogger('info')
    for (let index = 0; index < ${count}; index++) log.info({ index, filler: 'é'.repeat(500) }, 'line')
    process.exit(0)`
  for (const kind of ['plain', 'stream']) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, kind], { stdio: ['ignore', 'pipe', 'inherit'] }) // prettier-ignore
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>])
    t.equal(code, 0, kind)
    const indices = output.trimEnd().split('\n').map((line) => (JSON.parse(line) as { index: number }).index) // prettier-ignore
    t.strictSame(indices, Array.from({ length: count }, (_, index) => index), kind) // prettier-ignore
  }
})

void t.test('a reader that is gone ends nothing', async (t) => {
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
