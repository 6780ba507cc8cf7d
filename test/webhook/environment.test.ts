import t from 'tap'
import { readEnvironment } from '../../webhook/environment.ts'

const kubernetes = {
  POD_NAMESPACE: 'akv-injector-system',
  POD_NAME: 'akv-injector-0',
  SERVICE_NAMES: 'akv-injector, akv-injector-standby,akv-injector',
  CERTIFICATES: 'akv-injector-certificates',
}

void t.test('environment: the variables of the manifests are read, with every default', async (t) => {
  const read = readEnvironment({ ...kubernetes, MUTATING_CONFIGURATION: 'akv-injector', HOST: '' })
  t.strictSame(read, {
    ok: true,
    value: {
      host: '::',
      port: 8443,
      logLevel: 'info',
      drainTimeMs: 15_000,
      configurationFile: undefined,
      sidecarImage: undefined,
      platform: {
        kind: 'kubernetes',
        pod: { namespace: 'akv-injector-system', name: 'akv-injector-0' },
        services: ['akv-injector', 'akv-injector-standby'],
        certificates: { secretName: 'akv-injector-certificates', lifetimes: {} },
        mutating: ['akv-injector'],
        validating: [],
        auditInterval: undefined,
      },
    },
  })
  t.ok(read.ok && Object.isFrozen(read.value))
})

void t.test('environment: seconds become milliseconds, each under the name that its reader uses', async (t) => {
  const read = readEnvironment({
    ...kubernetes,
    AUDIT_SECONDS: '0.2',
    CERTIFICATE_AUTHORITY_SECONDS: '60',
    CERTIFICATE_SECONDS: '20',
    CERTIFICATE_SETTLE_SECONDS: '3',
    DRAIN_SECONDS: '1',
  })
  t.match(read, {
    value: {
      drainTimeMs: 1_000,
      platform: {
        auditInterval: 200,
        certificates: { lifetimes: { authorityMs: 60_000, leafMs: 20_000, propagationMs: 3_000 } },
      },
    },
  })
})

void t.test('environment: a mounted certificate needs no Secret, and folders need no Kubernetes', async (t) => {
  const mounted = readEnvironment({ ...kubernetes, CERTIFICATES: '', CERTIFICATES_FOLDER: '/certs' })
  t.match(mounted, { ok: true, value: { platform: { certificates: { folder: '/certs' } } } })
  const folders = readEnvironment({ CLUSTER_FOLDER: '/cluster', CERTIFICATES_FOLDER: '/certs', SIDECAR_IMAGE: 'x' })
  t.match(folders, { ok: true, value: { sidecarImage: 'x', platform: { kind: 'folder', clusterFolder: '/cluster' } } })
})

void t.test('environment: every problem is named at once', async (t) => {
  const wrong = { DRAIN_SECONDS: '15s', PORT: '84430', LOG_LEVEL: 'verbos', SERVICE_NAMES: ' , ' }
  t.strictSame(readEnvironment(wrong), {
    ok: false,
    problems: [
      'the environment variable PORT is not a port: "84430"',
      'the environment variable LOG_LEVEL is "verbos": expected one of trace, debug, info, warn, error',
      'the environment variable DRAIN_SECONDS is not a number of seconds: 15s',
      'the environment variable POD_NAMESPACE is not set',
      'the environment variable POD_NAME is not set',
      'the environment variable SERVICE_NAMES names no Service',
      'the environment variable CERTIFICATES is not set',
    ],
  })
  t.strictSame(readEnvironment({ CLUSTER_FOLDER: 'x' }), {
    ok: false,
    problems: [
      'the environment variable SIDECAR_IMAGE is not set',
      'the environment variable CERTIFICATES_FOLDER is not set',
    ],
  })
})
