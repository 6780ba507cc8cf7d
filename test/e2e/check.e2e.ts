import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createAuthority, issueLeaf, serviceNames } from '../../certs/authority.ts'
import { injectionLabel } from '../../shared/names.ts'
import { nodeContainer, pod } from './support/apps.ts'
import { check, failure, healthy, linesOf } from './support/check-command.ts'
import { apply, kubectl, toYaml, type KubernetesObject } from './support/kubectl.ts'
import { beside, install, newName, newTag, render, write } from './support/own-installation.ts'
import { logHas, readyPod } from './support/pods.ts'
import { untilReachable } from './support/reachable.ts'
import { eventually } from './support/eventually.ts'
import { manifests, read } from '../manifests/rendered.ts'
import { makeFixture, makeTeam } from './support/fixture.ts'

const system = 'platform-check'
const label = 'checked'
const absent = 'localhost/akv-injector-absent:e2e'
const own = ['--system-namespace', system]
const shared = ['--system-namespace', 'akv-injector-system']
const containers = [{ name: 'app', script: 'while :; do sleep 1; done' }]
const day = 86_400_000

/** Both halves with a mounted certificate, so that the webhook does not repair what the test breaks. */
async function installOwn(t: Test) {
  write(
    'e2e-check/injector',
    `namespace: ${system}
resources: [../../../manifests/base]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
configMapGenerator:
  - {name: akv-injector-configuration, namespace: akv-injector-system, behavior: replace, literals: ['configuration.yaml=image: ${absent}']}
generatorOptions: {disableNameSuffixHash: true}
`,
  )
  const folder = write('e2e-check', 'resources: [injector]\ncomponents: [../../manifests/components/cert-manager]\n')
  const { authority, key } = await createAuthority({ now: Date.now() - 60 * day, lifetimeMs: 365 * day })
  const names = serviceNames({ names: ['akv-injector', 'akv-injector-standby'], namespace: system })
  const issue = (now: number) => issueLeaf({ authority, key, names, now, lifetimeMs: 30 * day })
  const secret = ({ pem, key }: { pem: string; key: string }): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'akv-injector-serving-certificate', namespace: system },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': pem, 'tls.key': key },
  })
  const valid = secret(await issue(Date.now()))
  const caBundle = Buffer.from(authority.pem).toString('base64')
  const ours = (await render(folder)).filter(({ apiVersion }) => !apiVersion?.startsWith('cert-manager.io'))
  const all = [...beside(ours, label), valid]
  for (const one of all)
    for (const entry of (one['webhooks'] ?? []) as { clientConfig: object }[])
      Object.assign(entry.clientConfig, { caBundle })
  await install(t, all)
  await untilReachable(t, system, label)
  return {
    valid,
    expired: secret(await issue(Date.now() - 40 * day)),
    find,
    restore: (kind: string, name: string) => apply(find(kind, name)),
  }

  function find(kind: string, name: string): KubernetesObject {
    const found = all.find((one) => one.kind === kind && one.metadata.name === name)
    if (found === undefined) throw new Error(`the manifests have no ${kind} ${name}`)
    return found
  }
}

/** The ServiceAccount and the namespace of pods that nobody opted in. */
async function makeUnlabeledTeam(t: Test): Promise<string> {
  const namespace = await makeTeam(t)
  await kubectl(['label', 'namespace', namespace, `${injectionLabel}-`])
  return namespace
}

/** A ClusterRole without the rule that allows to list Nodes. */
function withoutNodes(role: KubernetesObject): KubernetesObject {
  const rules = role['rules'] as { resources: string[] }[]
  return { ...role, rules: rules.filter(({ resources }) => !resources.includes('nodes')) }
}

const patch = (kind: string, name: string, ...operations: object[]) =>
  kubectl(['patch', kind, name, '--type=json', '-p', JSON.stringify(operations)])

void t.test('check: finds each part of an installation that is broken, and is content with a whole one', async (t) => {
  const { valid, expired, find, restore } = await installOwn(t)
  const team = await makeTeam(t, { [injectionLabel]: label })
  const stranger = await makeUnlabeledTeam(t)
  await apply(pod(team, 'app', { annotations: { vault: 'my-kv', objects: 'x', ...identity }, containers }))
  await healthy(...own, '-n', team)

  const name = `akv-injector-${label}`
  const scale = (replicas: number) =>
    kubectl(['scale', '-n', system, 'deployment/akv-injector-standby', `--replicas=${replicas}`])
  const cases: [what: string, broken: () => Promise<unknown>, repaired: () => Promise<unknown>, finds: RegExp][] = [
    [
      'a missing caBundle',
      () => patch('mutatingwebhookconfiguration', name, { op: 'remove', path: '/webhooks/2/clientConfig/caBundle' }),
      () => restore('MutatingWebhookConfiguration', name),
      /^registrations: .*entry inject: has no caBundle.* -> .*ca-injector/,
    ],
    [
      'an expired certificate',
      () => apply(expired),
      () => apply(valid),
      /^certificate: Secret .*: the certificate expired at .* -> kubectl describe certificate/,
    ],
    [
      'a missing guard',
      () => patch('validatingwebhookconfiguration', name, { op: 'remove', path: '/webhooks/0' }),
      () => restore('ValidatingWebhookConfiguration', name),
      /^registrations: .*entry guard: is missing.* -> kubectl apply -k/,
    ],
    [
      'a standby that is down',
      () => scale(0),
      () => scale(1),
      /^halves: .*akv-injector-standby: is scaled to 0.* -> kubectl scale/,
    ],
    [
      // The webhook itself reads them every ten minutes only.
      'a permission that is missing',
      () => apply(withoutNodes(find('ClusterRole', name))),
      () => restore('ClusterRole', name),
      /^permissions: ServiceAccount .*: may not list nodes -> kubectl apply -k/,
    ],
  ]
  for (const [what, broken, repaired, finds] of cases) {
    await broken()
    t.match(await failure(finds, ...own, '-n', team), finds, what)
    await repaired()
    await healthy(...own, '-n', team)
  }

  const unlabeled = /^namespaces: namespace .*: lacks the label .* -> kubectl label --overwrite namespace/
  t.match(await failure(unlabeled, ...own, '-n', stranger), unlabeled, 'a namespace without the label')
  const unpullable = new RegExp(`^images: .*container akv-injector: ${absent} cannot be pulled .* -> correct image in`)
  t.match(await failure(unpullable, ...own, '--pod', `${team}/app`), unpullable, 'an image that cannot be pulled')
})

const id = '00000000-0000-0000-0000-000000000001'
const identity = { 'client-id': id, 'tenant-id': id }

void t.test('check --pod: finds a wrong tenant, an unreachable vault and forgotten labels', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'x' })
  const foreign = await makeFixture(t, { 'db-password': 'x' })
  await foreign.emulator.setTenant(foreign.vault, '99999999-9999-9999-9999-999999999999')
  const unlabeled = await makeUnlabeledTeam(t)
  const objects = 'db-password'
  await apply(
    pod(namespace, 'well', { annotations: { vault, objects }, containers }),
    pod(foreign.namespace, 'tenant', { annotations: { vault: foreign.vault, objects }, containers }),
    pod(namespace, 'unreachable', { annotations: { vault: 'kv-misspelled', objects }, containers }),
    pod(namespace, 'unasked', { containers }),
    pod(unlabeled, 'forgotten', { annotations: { vault, objects }, containers }),
  )
  const pods: [where: string, finds: RegExp][] = [
    [`${unlabeled}/forgotten`, /^namespaces: namespace .*: lacks the label .* -> kubectl label --overwrite namespace/],
    [`${namespace}/unasked`, /^injection: .*requests no objects.* -> add one to the pod template/],
    [`${foreign.namespace}/tenant`, /^sidecar: .*but the pod signs in at tenant.* -> wrong tenant: set the annotation/],
    [`${namespace}/unreachable`, /^sidecar: .*(ENOTFOUND|EAI_AGAIN).* -> vault unreachable: correct the name/],
  ]
  for (const [where, finds] of pods) t.match(await failure(finds, ...shared, '--pod', where), finds)

  await readyPod(namespace, 'well')
  const well = await healthy(...shared, '--pod', `${namespace}/well`)
  t.strictSame(linesOf(well, 'WARN'), [])
  const grant = await emulator.fault({ match: { vault }, fault: { kind: 'forbid', inner: 'ForbiddenByRbac' } })
  t.teardown(grant)
  await kubectl(['annotate', 'pod', '-n', namespace, 'well', 'azure.keyvault.injector/refresh=1'])
  const forbidden = /^sidecar: pod .*, vault .*: .*403 ForbiddenByRbac.* -> grant the identity/
  const warned = await eventually('check warns of the vault', async () => {
    const checked = await check(...shared, '--pod', `${namespace}/well`)
    return checked.code === 0 && linesOf(checked, 'WARN').find((line) => forbidden.test(line))
  })
  t.match(warned, forbidden, 'a pod that runs keeps its files')
})

void t.test('check: the role among the examples is enough for the shared installation', async (t) => {
  const team = await makeTeam(t)
  const caller = await makeCaller(t, team)
  const checked = await healthy(...shared, '-n', team, '--kubeconfig', caller)
  t.strictSame(
    linesOf(checked, 'WARN').filter((line) => line.includes('cannot be checked')),
    [],
  )
  t.match(linesOf(checked, 'OK'), [/^installation/, /^halves/, /^halves/, /^registrations/, /^certificate/])

  // The same from the image, with the ServiceAccount of a pod.
  const args = ['/app/cli.js', 'check', ...shared, '-n', team]
  const inPod = { containers: [nodeContainer('check', args, 1, { readinessProbe: null })], restartPolicy: 'Never' }
  await apply(pod(team, 'check', { containers: [], spec: inPod }))
  t.match(await logHas(team, 'check', 'check', /FAIL|akv-injector check:/), /^\d+ OK, \d+ WARN, 0 FAIL\n$/m)
})

/** Binds the roles of the example to a ServiceAccount, and returns a kubeconfig with its token. */
async function makeCaller(t: Test, namespace: string): Promise<string> {
  const roles = read(readFileSync(join(manifests, 'examples/check-role.yaml'), 'utf8'))
  const subjects = [{ kind: 'ServiceAccount', name: 'app', namespace }]
  const bindings = roles.map(({ kind, metadata }) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: `${kind}Binding`,
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name },
    subjects,
  }))
  t.teardown(() => kubectl(['delete', '-f', '-', '--ignore-not-found'], toYaml([...bindings, ...roles])))
  await apply(...roles, ...bindings)
  const token = (await kubectl(['create', 'token', 'app', '-n', namespace])).trim()
  const config = JSON.parse(await kubectl(['config', 'view', '--minify', '--raw', '-o', 'json'])) as {
    users: { user: object }[]
  }
  for (const one of config.users) one.user = { token }
  const file = join(t.testdir(), 'kubeconfig')
  writeFileSync(file, JSON.stringify(config))
  return file
}
