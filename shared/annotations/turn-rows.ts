import { parseDuration } from '../duration.ts'
import { dnsSubdomain, matching, parseMaxUnavailable, parseNotifyUrl } from './parsers.ts'
import type { Annotation } from './row.ts'

/** The rows of the annotation table about turns. */
export const turnAnnotations = {
  'max-unavailable': {
    help: 'how many pods of the workload may be down at once after a change, as a number or a percentage: they switch [one after the other](coordinator.md#one-replica-after-the-other), which needs a coordinator',
    defaultHelp: 'none: each pod switches whenever it has a new set',
    example: '1',
    parse: parseMaxUnavailable,
  },
  'min-ready': {
    help: 'how long the app must run after a change before the next pod has its turn',
    default: '10s',
    example: '30s',
    bounded: 'duration',
    parse: parseDuration,
  },
  'ready-url': {
    help: 'answers 2xx while the app is ready; must be on the loopback address',
    defaultHelp: 'the `readinessProbe` of the container, if it is `httpGet` or `tcpSocket`',
    example: 'http://localhost:8080/healthz',
    parse: parseNotifyUrl,
  },
  'turn-timeout': {
    help: 'how long the app may take to be ready after a change, before its turn has failed',
    default: '10m',
    example: '5m',
    bounded: 'duration',
    parse: parseDuration,
  },
  'turn-group': {
    help: 'pods of a namespace with the same group have turns with each other',
    defaultHelp: "the pod's controller; of a ReplicaSet, its Deployment",
    example: 'web',
    parse: matching(dnsSubdomain, 'a name of lower-case letters, digits, - and .'),
  },
} as const satisfies Record<string, Annotation<unknown>>
