import { probeScript } from '../../shared/names.ts'

/** Time beyond `startup-timeout` in which the sidecar says its own reason and exits, before the kubelet ends it. */
const startupMargin = 30_000

export const nodeBinary = '/nodejs/bin/node'

/**
 * Probes of the sidecar. On the host network nothing listens on an address: a script asks the sidecar's socket.
 * @param port where the sidecar serves, or nothing on the host network
 * @param startupTimeout in milliseconds
 */
export function probes(port: number | undefined, startupTimeout: number) {
  const action = (name: 'startup' | 'live') =>
    port === undefined
      ? { exec: { command: [nodeBinary, probeScript, name] } }
      : { httpGet: { path: name === 'startup' ? '/startupz' : '/livez', port, scheme: 'HTTP' } }
  // Starting a process each second would be felt; asking a port is not.
  const periodSeconds = port === undefined ? 2 : 1
  return {
    startupProbe: {
      ...action('startup'),
      periodSeconds,
      timeoutSeconds: 5,
      failureThreshold: Math.ceil((startupTimeout + startupMargin) / 1000 / periodSeconds),
    },
    // Fails only where the event loop stood still for a minute.
    livenessProbe: { ...action('live'), periodSeconds: 20, timeoutSeconds: 10, failureThreshold: 4 },
  }
}
