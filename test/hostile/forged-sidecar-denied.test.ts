import t from 'tap'
import { decide } from '../support/decide.ts'
import { type Decision } from '../../webhook/review/decision.ts'
import { annotated } from '../webhook/review-app.ts'
import { planInputs } from '../webhook/default-configuration.ts'
import { type Item, type Spec, exportOf, listOf, original, sidecarOf, volumeOf } from './exported-pod.ts'

const settings = (text: string): object => ({ name: 'AKV_INJECTOR_SETTINGS', value: text })

const second = { name: 'akv-injector', image: 'evil.example/x' }

/** Edits of the sidecar that are denied. */
const denied: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, text: string]> = {
  'settings twice': [
    (sidecar) => listOf(sidecar, 'env').push(settings('e30') as Item),
    'container "akv-injector" has the variable AKV_INJECTOR_SETTINGS twice: remove it, the injector adds its own',
  ],
  'settings twice, first': [
    (sidecar) => listOf(sidecar, 'env').unshift(settings('e30') as Item),
    'container "akv-injector" has the variable AKV_INJECTOR_SETTINGS twice: remove it, the injector adds its own',
  ],
  'an identity twice': [
    (sidecar) => listOf(sidecar, 'env').push({ name: 'AZURE_CLIENT_ID', value: 'x' }),
    'container "akv-injector" has the variable AZURE_CLIENT_ID twice: remove it, the injector adds its own',
  ],
  'settings from elsewhere': [
    (sidecar) =>
      (listOf(sidecar, 'env')[0] = {
        name: 'AKV_INJECTOR_SETTINGS',
        valueFrom: { configMapKeyRef: { name: 'x', key: 'y' } },
      }),
    'the pod has a container "akv-injector", which is a name of the injector: choose another one',
  ],
  'no volume of the annotations': [
    (_, spec) => spec.volumes.splice(spec.volumes.indexOf(volumeOf(spec, 'podinfo')), 1),
    'the pod has a container "akv-injector", which is a name of the injector: choose another one',
  ],
  'two sidecars': [
    (_, spec) => spec.initContainers.push(second),
    'the pod has two containers "akv-injector": remove it, the injector adds its own',
  ],
  'two sidecars, one beside the app': [
    (_, spec) => spec.containers.push(second),
    'the pod has two containers "akv-injector": remove it, the injector adds its own',
  ],
  'two sidecars, one ephemeral': [
    (_, spec) => (spec['ephemeralContainers'] = [second]),
    'the pod has two containers "akv-injector": remove it, the injector adds its own',
  ],
  'two volumes': [
    (_, spec) => spec.volumes.push({ name: 'akv-injector-token', emptyDir: {} }),
    'the pod has two volumes "akv-injector-token": remove it, the injector adds its own',
  ],
  privileged: [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { privileged: true }),
    'container "akv-injector" is privileged: remove it, the injector adds its own',
  ],
  'a capability': [
    (sidecar) =>
      Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } }),
    'container "akv-injector" has the capability "SYS_ADMIN": remove it, the injector adds its own',
  ],
  'the capability that is ours only on request': [
    (sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL'], add: ['KILL'] } }),
    'container "akv-injector" has the capability "KILL": remove it, the injector adds its own',
  ],
  'a path of the node': [
    (sidecar) => listOf(sidecar, 'volumeMounts').push({ name: 'host', mountPath: '/host' }),
    'container "akv-injector" mounts a path of the node at "/host": remove it, the injector adds its own',
  ],
  'a path of the node under our name': [
    (_, spec) =>
      Object.assign(spec.volumes, {
        [spec.volumes.indexOf(volumeOf(spec, 'podinfo'))]: { name: 'akv-injector-podinfo', hostPath: { path: '/etc' } },
      }),
    'volume "akv-injector-podinfo" is a path of the node: remove it, the injector adds its own',
  ],
  'a path of the node under a name that is not needed': [
    (_, spec) => spec.volumes.push({ name: 'akv-injector-run', hostPath: { path: '/run' } }),
    'volume "akv-injector-run" is a path of the node: remove it, the injector adds its own',
  ],
  'an app that reads the token': [
    (_, spec) => listOf(spec.containers[0]!, 'volumeMounts').push({ name: 'akv-injector-token', mountPath: '/x' }),
    'container "app" mounts akv-injector-token, which only the sidecar may mount: remove the mount',
  ],
  'an app that reads the annotations': [
    (_, spec) =>
      listOf(spec.containers[0]!, 'volumeMounts').push({
        name: 'akv-injector-podinfo',
        mountPath: '/x',
        readOnly: true,
      }),
    'container "app" mounts akv-injector-podinfo, which only the sidecar may mount: remove the mount',
  ],
  'an app that writes secrets': [
    (_, spec) => Object.assign(listOf(spec.containers[0]!, 'volumeMounts')[0]!, { readOnly: false }),
    'container "app" mounts akv-injector-secrets at "/mnt/secrets": set readOnly: true',
  ],
  'an app that writes secrets elsewhere': [
    (_, spec) => listOf(spec.containers[0]!, 'volumeMounts').push({ name: 'akv-injector-secrets', mountPath: '/x' }),
    'container "app" mounts akv-injector-secrets at "/x": set readOnly: true',
  ],
  'an app whose mounts propagate': [
    (_, spec) => Object.assign(listOf(spec.containers[0]!, 'volumeMounts')[0]!, { mountPropagation: 'Bidirectional' }),
    'container "app" mounts akv-injector-secrets with mountPropagation: Bidirectional: remove that field',
  ],
}

void t.test('forged sidecar: an edit that no injector makes is denied', async (t) => {
  for (const [name, [edit, text]] of Object.entries(denied)) {
    const forged = exportOf(original)
    edit(sidecarOf(forged.spec), forged.spec)
    const decision = decide(forged, planInputs())
    t.match(decision, { kind: 'deny' }, name)
    t.ok(
      (decision as Extract<Decision, { kind: 'deny' }>).problems.some(
        (one) => one.reason === 'clash' && one.text === text,
      ),
      `${name}: ${JSON.stringify(decision)}`,
    )
  }
  const fresh = annotated(
    {},
    { containers: [{ name: 'app', volumeMounts: [{ name: 'akv-injector-token', mountPath: '/x' }] }] },
  )
  t.match(decide(fresh, planInputs()), { kind: 'deny', problems: [{ reason: 'clash' }] }, 'a new pod may not either')
  const joining = annotated({}, { ephemeralContainers: [second] })
  t.match(decide(joining, planInputs()), { kind: 'deny', problems: [{ reason: 'clash', text: /ephemeral/ }] })
})
