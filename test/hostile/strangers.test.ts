import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import jsonPatch, { type Operation } from 'fast-json-patch'
import t, { type Test } from 'tap'
import { callSegment } from '../../certs/segments.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { isGuard, purposes } from '../../webhook/review/decision.ts'
import { annotated, appFor, cluster, reviewOf } from '../webhook/review-app.ts'
import { closed } from '../support/closed.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const secret = 'c0ffee'.repeat(6).slice(0, 32)
const previous = 'decade'.repeat(6).slice(0, 32)
/** What the entry of a path calls. */
const called = (path: string, of = secret): string => callSegment(of, `/${path}`)!
const derived = (secrets: readonly string[]) => (path: string) => secrets.map((one) => callSegment(one, path)!)
const wrong = called('mutate').replace(/.$/, (digit) => (digit === '1' ? '2' : '1'))
const paths = [...purposes, 'report/validate']

/** The webhook as it runs with a certificate of its own; `looked` records what was looked up. */
function inviting(t: Test, secrets: string[] = [secret]) {
  let refused = 0
  const looked = cluster()
  const strangers = { segments: derived(secrets), refused: () => void refused++ }
  return { ...appFor(t, { cluster: looked }, { strangers }), looked, refused: () => refused }
}

void t.test('strangers: without the right segment every path answers 404, and nothing is looked up', async (t) => {
  const { server, looked, decided, lines, refused } = inviting(t)
  const guesses = [
    '',
    '/',
    `/${wrong}`,
    `/${secret}`,
    `/${called('mutate')}x`,
    `/${called('mutate').slice(1)}`,
    `/${called('mutate').toUpperCase()}`,
    `/ ${called('mutate')}`,
    '/%2e%2e',
    `/${'0'.repeat(32)}`,
    `/${'x'.repeat(5000)}`,
  ]
  let asked = 0
  for (const guess of guesses) {
    for (const path of paths) {
      const url = `${guess}/${path}`
      const { statusCode, payload } = await server.inject({ method: 'POST', url, payload: reviewOf(annotated()) })
      t.equal(statusCode, 404, url.slice(0, 60))
      t.match(JSON.parse(payload), { code: 404, message: /^there is nothing at POST / })
      asked++
    }
  }
  t.strictSame([looked.asked, decided, lines], [[], [], []], 'no look-up, no Event, no line of log')
  t.equal(refused(), asked, 'and each is counted')
})

void t.test('strangers: a request with a valid segment is answered, during a rotation with either one', async (t) => {
  const secrets = [secret]
  const { server } = inviting(t, secrets)
  const status = async (of: string, path = 'mutate') =>
    (
      await server.inject({
        method: 'POST',
        url: `/${called(path, of)}/${path}?timeout=5s`,
        payload: reviewOf(annotated()),
      })
    ).statusCode
  for (const path of paths) t.equal(await status(secret, path), 200, path)
  t.equal(await status(previous), 404)
  secrets.push(previous)
  t.strictSame([await status(secret), await status(previous)], [200, 200])
  secrets.shift()
  t.strictSame([await status(secret), await status(previous)], [404, 200])
  secrets.shift()
  t.equal(await status(previous), 404, 'before the Secret has been read, every segment is wrong')
  for (const url of ['/livez', '/readyz', '/metrics']) t.equal((await server.inject({ url })).statusCode, 200, url)
})

void t.test('strangers: the segment of one path opens no other path', async (t) => {
  const { server } = inviting(t)
  for (const known of paths) {
    for (const path of paths) {
      const url = `/${called(known)}/${path}`
      const { statusCode } = await server.inject({ method: 'POST', url, payload: reviewOf(annotated()) })
      t.equal(statusCode, known === path ? 200 : 404, `${known}'s segment before /${path}`)
    }
  }
})

void t.test('strangers: a guard, whose URL a failed call reveals, never answers with an injected pod', async (t) => {
  const { server } = inviting(t)
  const ask = async (path: string, pod: object): Promise<string> =>
    (await server.inject({ method: 'POST', url: `/${called(path)}/${path}`, payload: reviewOf(pod) })).payload
  const pod = annotated()
  const { response } = JSON.parse(await ask('copy', pod)) as { response: { patch: string } }
  const patch = JSON.parse(Buffer.from(response.patch, 'base64').toString()) as Operation[]
  const forged = jsonPatch.applyPatch(structuredClone(pod), patch).newDocument as unknown as Pod
  Object.assign(forged.spec.initContainers![0]!, { command: ['sh'] })
  for (const pod of [annotated(), forged]) {
    t.match(await ask('copy', pod), /"patch":/, 'a path whose URL no failure shows may inject')
    for (const path of purposes.filter(isGuard)) t.match(await ask(path, pod), /^(?!.*"patch)(?=.*"not-injected)/, path)
  }
})

void t.test('strangers: no log line and no answer contains the segment', async (t) => {
  const held = cluster({ namespace: () => Promise.reject(new Error('no')) })
  const { server, lines } = appFor(t, { cluster: held }, { strangers: { segments: derived([secret]) } })
  const shows = (text: string) => [secret, ...paths.map((path) => called(path))].some((one) => text.includes(one))
  const bodies = [
    '{',
    '[]',
    '',
    '{"kind":"AdmissionReview"}',
    JSON.stringify(reviewOf(annotated())),
    `"${'x'.repeat(9e6)}"`,
  ]
  for (const path of paths) {
    for (const payload of bodies) {
      const answer = await server.inject({
        method: 'POST',
        url: `/${called(path)}/${path}`,
        headers: { 'content-type': 'application/json' },
        payload,
      })
      t.notOk(shows(answer.payload), `${answer.statusCode} of ${path}`)
    }
    await server.inject({
      method: 'POST',
      url: `/${called(path)}/${path}`,
      headers: { 'content-type': 'text/plain' },
      payload: 'x',
    })
  }
  t.match(lines.join(''), /request refused/)
  t.notOk(shows(lines.join('')))
})

async function listening(t: Test) {
  const { folder, cert } = certificateFolder(t)
  const [certificate, key] = ['tls.crt', 'tls.key'].map((file) => readFileSync(join(folder, file)))
  let refused = 0
  const strangers = { segments: derived([secret]), refused: () => void refused++ }
  const app = appFor(t, {}, { tls: { cert: certificate!, key: key! }, strangers })
  await app.server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.server.address() as AddressInfo
  return { ...app, port, ca: cert, refused: () => refused }
}

void t.test('strangers: an announced body is not read', async (t) => {
  const { port, ca } = await listening(t)
  for (const headers of [`content-length: ${8 * 1024 * 1024}`, 'transfer-encoding: chunked']) {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca })
    socket.setEncoding('utf8')
    socket.write(
      `POST /${wrong}/mutate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}\r\n\r\n`,
    )
    let answer = ''
    socket.on('data', (text: string) => (answer += text))
    await closed(socket)
    t.match(answer, /^HTTP\/1.1 404 /, `${headers}: answered although not a byte of the body came`)
    t.match(answer, /connection: close/i)
  }
})

void t.test('strangers: 200 large reviews without the segment block neither the event loop nor memory', async (t) => {
  const { port, ca, refused } = await listening(t)
  const body = Buffer.alloc(512 * 1024, '{"kind":"AdmissionReview","a":[')
  const send = (path: string, method: string, payload?: Buffer) =>
    new Promise<number | undefined>((resolve) => {
      const headers = { 'content-type': 'application/json' }
      request(
        { host: '127.0.0.1', port, ca, servername: 'localhost', path, method, headers, agent: false },
        (response) => {
          response.resume().on('end', () => resolve(response.statusCode))
        },
      )
        // The server closes while the body is on its way.
        .on('error', () => resolve(undefined))
        .end(payload)
    })
  /** The mean delay of the event loop, in milliseconds, under 50 rounds of four requests at once. */
  const delayUnder = async (one: () => Promise<number | undefined>, expected: number): Promise<number> => {
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    for (let round = 0; round < 50; round++) {
      const codes = await Promise.all([one(), one(), one(), one()])
      for (const code of codes) if (code !== undefined && code !== expected) t.fail(`an answer of ${code}`)
    }
    delay.disable()
    return delay.mean / 1e6
  }
  const calm = await delayUnder(() => send('/livez', 'GET'), 200)
  const before = process.memoryUsage().rss
  const attacked = await delayUnder(() => send(`/${wrong}/mutate`, 'POST', body), 404)
  t.equal(refused(), 200)
  const grown = Math.round((process.memoryUsage().rss - before) / 2 ** 20)
  t.ok(grown < 90, `${grown} MiB more of 100 MiB that were sent, clients included`)
  t.ok(attacked < 5 * calm, `event loop: ${attacked.toFixed(1)} ms, ${calm.toFixed(1)} ms when it is calm`)
})
