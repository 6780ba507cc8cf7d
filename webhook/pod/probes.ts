import { probeScript } from '../../shared/names.ts'

/**
 * More failures than the kubelet ever counts. The startup probe must end no run: only the sidecar can say why it failed, and it
 * exits by itself after `startup-timeout`. A threshold just above that time would end a later run, because the kubelet does not
 * reset its count when the container restarts.
 */
const neverReached = 1_000_000_000

export const nodeBinary = '/nodejs/bin/node'

/**
 * Probes of the sidecar. On the host network nothing listens on an address: a script asks the sidecar's socket.
 * @param port where the sidecar serves, or nothing on the host network
 */
export function probes(port: number | undefined) {
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
      failureThreshold: neverReached,
    },
    // Fails only where the event loop stood still for a minute.
    livenessProbe: { ...action('live'), periodSeconds: 20, timeoutSeconds: 10, failureThreshold: 4 },
  }
}
