import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A fake Kubernetes API server that fills the webhook's caches: pages of metadata, and watches without events. */
export interface ApiServer {
  url: string
  /** The requests so far, without their queries. */
  requests: string[]
  close: () => void
}

/** The metadata that kubectl and the API server leave in an object that was applied once. */
const metadataOf = (index: number, names: { name: string; namespace?: string }) => ({
  ...names,
  uid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  resourceVersion: String(1000 + index),
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/instance': `app-${index}` },
  annotations: { 'azure.workload.identity/client-id': `11111111-1111-4111-8111-${String(index).padStart(12, '0')}` },
  managedFields: [
    {
      manager: 'helm',
      operation: 'Update',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:app.kubernetes.io/managed-by': {} } } },
    },
  ],
})

/** The first namespace is that of the demo's app. */
const namespaceOf = (index: number) => (index === 0 ? 'shop' : `team-${index}`)

export async function startApiServer(
  certificate: { cert: string; key: string },
  { namespaces, serviceAccounts }: { namespaces: number; serviceAccounts: number },
): Promise<ApiServer> {
  const requests: string[] = []
  const objectOf = (path: string, index: number): object | undefined => {
    if (path === '/api/v1/namespaces') return { metadata: metadataOf(index, { name: namespaceOf(index) }) }
    if (path !== '/api/v1/serviceaccounts') return undefined
    return {
      metadata: metadataOf(index, {
        namespace: namespaceOf(index % namespaces),
        name: index === 0 ? 'shop' : `app-${index}`,
      }),
    }
  }
  const countOf = (path: string) =>
    path === '/api/v1/namespaces' ? namespaces : path === '/api/v1/serviceaccounts' ? serviceAccounts : 0

  const server = createServer(certificate, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://api')
    requests.push(pathname)
    response.setHeader('content-type', 'application/json')
    if (searchParams.has('watch')) return response.flushHeaders()
    const from = Number(searchParams.get('continue') ?? 0)
    const to = Math.min(countOf(pathname), from + Number(searchParams.get('limit') ?? 500))
    const items = Array.from({ length: to - from }, (_, index) => objectOf(pathname, from + index))
    const metadata = { resourceVersion: '9999', ...(to < countOf(pathname) ? { continue: String(to) } : {}) }
    response.end(JSON.stringify({ metadata, items }))
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close }
}
