import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Test } from 'tap'
import { terminationLog } from '../../shared/names.ts'
import { startSidecarFixture, type SidecarFixture } from './sidecar-bundle.ts'

export const three = ['db-user', 'db-password', 'api-key']
export const quick = { pollInterval: 200, bounds: { pollInterval: { min: 50, max: 3_600_000 } } }

export async function sidecarFixture(
  test: Test,
  objects = three,
  overrides: Parameters<typeof startSidecarFixture>[1] = quick,
): Promise<SidecarFixture> {
  const fixture = await startSidecarFixture(objects, overrides)
  test.teardown(() => fixture.end())
  for (const name of three) fixture.emulator.vault('my-kv').setSecret(name, `${name}-1`)
  return fixture
}

/** An app that is notified over HTTP, and the notifications that it received. */
export async function app(test: Test): Promise<{ url: string; told: Record<string, unknown>[] }> {
  const told: Record<string, unknown>[] = []
  const server: Server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    request.on('end', () => {
      told.push(JSON.parse(text) as Record<string, unknown>)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`, told }
}

export const terminationOf = ({ root }: SidecarFixture): string => readFileSync(join(root, terminationLog), 'utf8')
export const get = async (url: string) =>
  fetch(url).then(async (response) => ({ status: response.status, text: await response.text() }))
