import { ApiError } from '../../../shared/kubernetes/api.ts'
import type { Manifest } from '../../manifests/rendered.ts'
import { admittedPod, system, type FakeCluster } from './cluster.ts'
import type { Case } from './registration-cases.ts'

const spec = <T>(cluster: FakeCluster, kind: string, name: string): T => cluster.find(kind, name)['spec'] as T
const labels = (cluster: FakeCluster, namespace: string): Record<string, string> =>
  (cluster.find('Namespace', namespace).metadata.labels ??= {})
const injection = 'azure.keyvault.injector/injection'
const denied = (said: string) => () => {
  throw new ApiError(403, 'POST: 403', said)
}

const crashing: Manifest = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'akv-injector-1',
    namespace: system,
    labels: { 'app.kubernetes.io/name': 'akv-injector', 'app.kubernetes.io/component': 'webhook' },
  },
  spec: { containers: [] },
  status: {
    containerStatuses: [
      {
        name: 'webhook',
        ready: false,
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } },
        lastState: { terminated: { exitCode: 1 } },
      },
    ],
  },
}

/** Everything else that can be broken in an installation. */
export const installationCases: Case[] = [
  {
    what: 'a standby that is scaled to 0',
    breaks: (cluster) => (spec<{ replicas: number }>(cluster, 'Deployment', 'akv-injector-standby').replicas = 0),
    finds: [/^FAIL halves: Deployment .*\/akv-injector-standby: is scaled to 0; the webhook injects pods meanwhile/],
    remedy: /kubectl scale -n akv-injector-system deployment\/akv-injector-standby --replicas=1/,
  },
  {
    what: 'a webhook that does not start',
    breaks(cluster) {
      cluster.find('Deployment', 'akv-injector')['status'] = {}
      cluster.objects.push(crashing)
    },
    finds: [
      /^FAIL halves: .*akv-injector: has no available pod; .*pod akv-injector-1: CrashLoopBackOff: back-off.*code 1$/,
    ],
    remedy: /kubectl logs/,
  },
  {
    what: 'a missing half',
    breaks: (cluster) => cluster.remove('Deployment', 'akv-injector-standby'),
    finds: [/^FAIL halves: .*akv-injector-standby: does not exist/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'halves of different versions',
    breaks(cluster) {
      const { template } = spec<{ template: { spec: { containers: { image: string }[] } } }>(
        cluster,
        'Deployment',
        'akv-injector-standby',
      )
      for (const one of template.spec.containers) one.image = 'akv-injector:0.0.9'
    },
    finds: [/^FAIL versions: .*run different images: .*akv-injector-standby runs akv-injector:0\.0\.9/],
    remedy: /images:/,
  },
  {
    what: 'a verb that RBAC lacks',
    breaks(cluster) {
      const rules = cluster.find('ClusterRole', 'akv-injector')['rules'] as { resources: string[]; verbs: string[] }[]
      for (const rule of rules) if (rule.resources.includes('nodes')) rule.verbs = ['get']
    },
    finds: [/^FAIL permissions: ServiceAccount .*\/akv-injector: may not list nodes$/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a binding that RBAC lacks',
    breaks: (cluster) => cluster.remove('RoleBinding', 'akv-injector-certificates'),
    finds: [/may not get, update, watch secrets "akv-injector-certificates" in namespace akv-injector-system$/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a missing policy',
    breaks: (cluster) => cluster.remove('ValidatingAdmissionPolicy', 'akv-injector-own-registrations'),
    finds: [/^FAIL policies: ValidatingAdmissionPolicy akv-injector-own-registrations: does not exist/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a policy that nothing binds',
    breaks: (cluster) => cluster.remove('ValidatingAdmissionPolicyBinding', 'akv-injector-forgotten-labels'),
    finds: [/^FAIL policies: ValidatingAdmissionPolicyBinding akv-injector-forgotten-labels: does not exist/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a binding that only audits',
    breaks(cluster) {
      const name = 'akv-injector-own-registrations'
      spec<{ validationActions: string[] }>(cluster, 'ValidatingAdmissionPolicyBinding', name).validationActions = [
        'Audit',
      ]
    },
    finds: [/^FAIL policies: .*own-registrations: does not deny what the policy finds/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a namespace without the label',
    flags: ['-n', 'shop'],
    breaks: (cluster) => delete labels(cluster, 'shop')[injection],
    finds: [
      /^FAIL namespaces: namespace shop: lacks the label/,
      /^WARN dry-run: a pod in namespace shop: is not tried/,
    ],
    remedy: /kubectl label --overwrite namespace shop azure\.keyvault\.injector\/injection=enabled/,
  },
  {
    what: 'a label with a misspelled value',
    breaks: (cluster) => (labels(cluster, 'shop')[injection] = 'enable'),
    finds: [/^WARN namespaces: label .*unknown value.*shop \("enable"\)/, /none is labeled/, /^WARN dry-run/],
    remedy: /use enabled or report/,
    code: 0,
  },
  {
    what: "the injector's namespace without its label",
    breaks: (cluster) => delete labels(cluster, system)['azure.keyvault.injector/system'],
    finds: [/^FAIL namespaces: namespace akv-injector-system: lacks the label/],
    remedy: /kubectl label namespace akv-injector-system/,
  },
  {
    what: "a mistake in the administrator's file",
    breaks: (cluster) =>
      (cluster.find('ConfigMap', 'akv-injector-configuration')['data'] = { 'configuration.yaml': 'cluod: x' }),
    finds: [/^FAIL configuration: .*cluod.*did you mean "cloud"/],
    remedy: /last good file/,
  },
  {
    what: 'another image than the file names',
    breaks: (cluster) =>
      (cluster.find('ConfigMap', 'akv-injector-configuration')['data'] = { 'configuration.yaml': 'image: other:1' }),
    finds: [/^FAIL versions: sidecar: new pods get the image akv-injector:0\.1\.0 instead of other:1/],
    remedy: /wait a minute/,
  },
  {
    what: 'an old API server',
    breaks(cluster) {
      cluster.version = 'v1.29.3'
      cluster.remove('ValidatingAdmissionPolicy', 'akv-injector-own-registrations')
    },
    finds: [/^WARN versions: Kubernetes: the API server is v1\.29\.3/],
    remedy: /older-clusters/,
    code: 0,
  },
  {
    what: 'an old node',
    breaks: (cluster) => (cluster.find('Node', 'node-1')['status'] = { nodeInfo: { kubeletVersion: 'v1.28.1' } }),
    finds: [/^WARN versions: nodes: the oldest kubelet is v1\.28\.1/],
    remedy: /upgrade/,
    code: 0,
  },
  {
    what: 'a webhook that the API server does not trust',
    breaks: (cluster) =>
      (cluster.admit = denied(
        'Internal error occurred: failed calling webhook "guard.azure.keyvault.injector": x509: certificate signed by unknown authority',
      )),
    finds: [/^FAIL dry-run: a pod in namespace shop: the API server cannot call the injector: .*x509/],
    remedy: /the certificate/,
  },
  {
    what: 'a webhook that a firewall hides',
    breaks: (cluster) =>
      (cluster.admit = denied('failed calling webhook "guard.azure.keyvault.injector": context deadline exceeded')),
    finds: [/^FAIL dry-run: .*context deadline exceeded/],
    remedy: /NetworkPolicies and the firewall/,
  },
  {
    what: 'a pod that the injector denies',
    breaks: (cluster) =>
      (cluster.admit = denied('admission webhook "inject.azure.keyvault.injector" denied the request: vault ...')),
    finds: [/^WARN dry-run: .*the injector answers, but denies the pod/],
    remedy: /--vault/,
    code: 0,
  },
  {
    what: 'a pod that another webhook denies',
    breaks: (cluster) => (cluster.admit = denied('admission webhook "gatekeeper.sh" denied the request: no')),
    finds: [/^WARN dry-run: .*something else rejects the pod: .*gatekeeper/],
    remedy: /--namespace/,
    code: 0,
  },
  {
    what: 'a pod without a sidecar',
    breaks: (cluster) => (cluster.admit = () => ({ metadata: {}, spec: { containers: [{ name: 'app' }] } })),
    finds: [/^FAIL dry-run: .*admitted without a sidecar/],
    remedy: /registrations/,
  },
  {
    what: 'a pod that the standby injects',
    breaks: (cluster) =>
      (cluster.admit = () => admittedPod(undefined, { 'azure.keyvault.injector/injected-by': 'standby' })),
    finds: [/^FAIL dry-run: .*injected by the standby/],
    remedy: /NetworkPolicies/,
  },
  {
    what: 'a webhook of another version than the command',
    breaks: (cluster) => (cluster.admit = () => admittedPod(undefined, { 'azure.keyvault.injector/version': '0.2.0' })),
    finds: [/^WARN versions: webhook: is version 0\.2\.0, and this command is 0\.1\.0/],
    remedy: /version 0\.2\.0/,
    code: 0,
  },
]
