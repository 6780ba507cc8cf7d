import {
  environmentContainer,
  environmentScript,
  podinfoFolder,
  podinfoVolume,
  secretsVolume,
} from '../../shared/names.ts'
import { checkedPrefix, variableFile } from '../../shared/variables.ts'
import type { Plan } from '../plan/plan.ts'
import { imageUser, securityContext } from '../plan/sidecar-user.ts'
import { withVariables, type Variable, type Variables } from '../plan/variables.ts'
import { appContainers, initContainers, withSpec, type Container, type Pod } from '../pod/pod.ts'
import { countVariable, imageOf, nodeFlags, resourcesOf } from './sidecar-container.ts'

/**
 * An entry that the kubelet reads from the variable's file at each start of the container. Every field has a value, so that the API server's
 * defaults change nothing. {@link https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/}
 */
const entryOf = ({ name, optional }: Variable, prefix = '') => ({
  name: prefix + name,
  valueFrom: { fileKeyRef: { volumeName: secretsVolume, path: `..data/${variableFile(name)}`, key: name, optional } },
})

/** Returns the pod with the variables in the containers that get them. */
export function addVariables(pod: Pod, { variables, containers }: Variables): Pod {
  const affected = new Set(containers)
  const entries = variables.map((variable) => entryOf(variable))
  const add = (container: Container): Container =>
    affected.has(container.name) ? withVariables(container, entries) : container
  return withSpec(pod, {
    containers: appContainers(pod).map(add),
    ...(pod.spec.initContainers === undefined ? {} : { initContainers: initContainers(pod).map(add) }),
  })
}

/**
 * Returns the init container that ends the start of the pod if the kubelet left the variables empty. Its arguments end with the names of the
 * containers that get the variables, for the match conditions in the manifests.
 */
export function checkingContainer(plan: Plan, { variables, containers }: Variables): Container {
  const { user, group } = plan.user
  return {
    name: environmentContainer,
    ...imageOf(plan),
    args: [...nodeFlags, environmentScript, ...containers],
    env: [
      ...variables.map((variable) => entryOf(variable, checkedPrefix)),
      ...Object.entries(countVariable(plan)).map(([name, value]) => ({ name, value })),
    ],
    ...resourcesOf(plan),
    securityContext: securityContext({ user: user === 0 ? imageUser : user, group, mayKill: false }),
    // At the path of the API token, which the container gets otherwise.
    volumeMounts: [{ name: podinfoVolume, mountPath: podinfoFolder, readOnly: true }],
  }
}
