// Serves over TLS with the certificate that was injected, and takes a new one up on SIGHUP without ending a connection.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const read = () => ({ cert: readFileSync('/mnt/secrets/tls/web.crt'), key: readFileSync('/mnt/secrets/tls/web.key') })
const server = createServer({ ...read(), keepAliveTimeout: 600_000 }, (request, response) => response.end('served'))
process.on('SIGHUP', () => {
  server.setSecureContext(read())
  console.log('reloaded')
})
process.on('SIGTERM', () => process.exit(0))
server.listen(8443, () => console.log('serving'))
