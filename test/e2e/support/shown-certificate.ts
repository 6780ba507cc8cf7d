import { connect } from 'node:tls'

/** The name that the certificates of the scenarios are for. */
export const serverName = 'web.example.com'

/**
 * Connects to a forwarded port, verifies the certificate and the server's proof that it has its key, and returns the serial number.
 * @param ca the authority, PEM
 */
export const shownSerial = (port: number, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca, servername: serverName }, () => {
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      resolve(serialNumber)
    }).on('error', reject)
  })
