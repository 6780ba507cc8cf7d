import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'

const isDenied = (spec: object): boolean => {
  const decision = decide(annotated({}, spec), planInputs())
  return decision.kind === 'deny' && decision.problems.every(({ reason }) => reason === 'windows')
}
const required = (...terms: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
})
const term = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [
    { key: 'zone', operator: 'Exists' },
    { key, operator, ...(values.length > 0 ? { values } : {}) },
  ],
})
const windowsOptions = { runAsUserName: 'ContainerUser' }

void t.test('Windows: a pod that can only run there is denied, however it says so', async (t) => {
  const cases: Record<string, object> = {
    'spec.os': { os: { name: 'windows' } },
    'the selector': { nodeSelector: { 'kubernetes.io/os': 'windows' } },
    'the beta selector': { nodeSelector: { 'beta.kubernetes.io/os': 'windows' } },
    'the build of Windows': { nodeSelector: { 'node.kubernetes.io/windows-build': '10.0.20348' } },
    'the SKU of AKS': { nodeSelector: { 'kubernetes.azure.com/os-sku': 'Windows2022' } },
    affinity: required(term('kubernetes.io/os', 'In', 'windows')),
    'affinity to the beta label': required(term('beta.kubernetes.io/os', 'In', 'windows')),
    'affinity to a build': required(term('node.kubernetes.io/windows-build', 'Exists')),
    'affinity to anything but Linux': required(term('kubernetes.io/os', 'NotIn', 'linux')),
    'affinity by each of two terms': required(
      term('kubernetes.io/os', 'In', 'windows'),
      term('node.kubernetes.io/windows-build', 'In', '1'),
    ),
    'windowsOptions of the pod': { securityContext: { windowsOptions } },
    'windowsOptions of a container': { containers: [{ name: 'app', securityContext: { windowsOptions } }] },
    'windowsOptions of an init container': { initContainers: [{ name: 'init', securityContext: { windowsOptions } }] },
  }
  for (const [name, spec] of Object.entries(cases)) t.ok(isDenied(spec), name)
})

void t.test('Windows: a pod that may or must run on Linux is injected', async (t) => {
  const cases: Record<string, object> = {
    'spec.os': { os: { name: 'linux' } },
    'a preference': {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, preference: term('kubernetes.io/os', 'In', 'windows') },
          ],
        },
      },
    },
    'one of two terms': required(term('kubernetes.io/os', 'In', 'windows'), term('zone', 'Exists')),
    'either of two systems': required(term('kubernetes.io/os', 'In', 'linux', 'windows')),
    'not Windows': required(term('kubernetes.io/os', 'NotIn', 'windows')),
    'no terms': {
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: null } } },
    },
    'a label of another name': { nodeSelector: { constructor: 'windows' } },
    'options of Windows beside a Linux selector': {
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      securityContext: { windowsOptions },
    },
    'options of Windows beside affinity to Linux': {
      ...required(term('kubernetes.io/os', 'In', 'linux')),
      securityContext: { windowsOptions },
    },
    'empty options': { securityContext: { windowsOptions: {} } },
  }
  for (const [name, spec] of Object.entries(cases)) t.notOk(isDenied(spec), name)
})
