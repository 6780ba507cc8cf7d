import { request } from 'node:http'

/** The page for each kind of probe in the pod's spec. */
const pages: Record<string, string> = { startup: '/startupz', live: '/livez' }

/** Probes the running sidecar over its unix socket, for exec probes of pods on the host network. @returns the exit code and the text to print */
export async function probe(kind: string, socket: string, timeout = 5_000): Promise<{ code: 0 | 1; text: string }> {
  const path = pages[kind]
  if (path === undefined)
    return { code: 1, text: `unknown probe "${kind}": expected ${Object.keys(pages).join(' or ')}` }
  const { promise, resolve } = Promise.withResolvers<{ code: 0 | 1; text: string }>()
  const asked = request({ socketPath: socket, path, signal: AbortSignal.timeout(timeout) }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => (text += chunk))
    response.on('end', () => resolve({ code: response.statusCode === 200 ? 0 : 1, text: text.trim() }))
    response.on('error', ({ message }) => resolve({ code: 1, text: message }))
  })
  asked.on('error', ({ message }) => resolve({ code: 1, text: message }))
  asked.end()
  return promise
}
