import { probeScript } from '../../shared/names.ts'

/**
 * More failures than the kubelet ever counts. The startup probe must not end a run: only the sidecar can report why it failed, and it exits
 * by itself after `startup-timeout`. A threshold just above that time would end a later run, because the kubelet does not reset its count
 * when the container restarts.
 */
const neverReached = 1_000_000_000

export const nodeBinary = '/nodejs/bin/node'

/**
 * Returns the sidecar's probes. On the host network, the sidecar has no port, and a script connects to its socket instead.
 * @param port the sidecar's port; undefined on the host network
 */
export function probes(port: number | undefined) {
  const action = (name: 'startup' | 'live') =>
    port === undefined
      ? { exec: { command: [nodeBinary, probeScript, name] } }
      : { httpGet: { path: name === 'startup' ? '/startupz' : '/livez', port, scheme: 'HTTP' } }
  // A process each second would cost noticeable CPU; an HTTP request does not.
  const periodSeconds = port === undefined ? 2 : 1
  return {
    startupProbe: {
      ...action('startup'),
      periodSeconds,
      timeoutSeconds: 5,
      failureThreshold: neverReached,
    },
    // Fails only if the event loop is blocked for more than a minute.
    livenessProbe: { ...action('live'), periodSeconds: 20, timeoutSeconds: 10, failureThreshold: 4 },
  }
}
