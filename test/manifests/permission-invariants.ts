import type { Test } from 'tap'
import { nameOf, ofKind, rulesOf } from './manifest-fields.ts'
import type { Manifest } from './rendered.ts'

/** Permissions that cannot be limited by name: collections, creation, and the webhook's own pod, whose name the cluster makes up. */
const unnamed: Record<string, string[]> = {
  namespaces: ['get', 'list', 'watch'],
  serviceaccounts: ['get', 'list', 'watch'],
  secretproviderclasses: ['get', 'list', 'watch'],
  limitranges: ['list', 'watch'],
  nodes: ['list'],
  events: ['create', 'patch'],
  replicasets: ['get'],
  statefulsets: ['get'],
  daemonsets: ['get'],
  jobs: ['get'],
  cronjobs: ['get'],
  pods: ['get', 'list'],
  // The emulator's, in the overlay.
  configmaps: ['create'],
}
/** Permissions that are limited by name. */
const named: Record<string, string[]> = {
  secrets: ['get', 'update', 'watch'],
  configmaps: ['get', 'update'],
  mutatingwebhookconfigurations: ['get', 'patch', 'watch'],
  validatingwebhookconfigurations: ['get', 'patch', 'watch'],
}

/** Checks that an installation with a self-managed certificate has each of these permissions. The end-to-end suite shows that each is used. */
export function checkGrantedPermissions(t: Test, all: readonly Manifest[]): void {
  const granted = { unnamed: new Map<string, Set<string>>(), named: new Map<string, Set<string>>() }
  for (const { resources, resourceNames, verbs } of ofKind(all, 'Role', 'ClusterRole').flatMap(rulesOf)) {
    const to = resourceNames === undefined ? granted.unnamed : granted.named
    for (const resource of resources) to.set(resource, new Set([...(to.get(resource) ?? []), ...verbs]))
  }
  const sorted = (map: Map<string, Set<string>>) =>
    Object.fromEntries([...map].map(([resource, verbs]) => [resource, [...verbs].sort()]))
  const expected = (of: Record<string, string[]>) =>
    Object.fromEntries(Object.entries(of).filter(([resource]) => resource !== 'configmaps'))
  t.strictSame(sorted(granted.unnamed), expected(unnamed), 'permissions that no name limits')
  t.strictSame(sorted(granted.named), expected(named), 'permissions by name')
}

export function checkPermissions(t: Test, all: readonly Manifest[]): void {
  for (const role of ofKind(all, 'Role', 'ClusterRole')) {
    for (const { apiGroups, resources, resourceNames, verbs } of rulesOf(role)) {
      const what = `${nameOf(role)}: ${resources.join(', ')}`
      t.notOk([...apiGroups, ...resources, ...verbs].includes('*'), `${what}: no wildcard`)
      const most = resourceNames === undefined ? unnamed : named
      for (const resource of resources) {
        const beyond = verbs.filter((verb) => !most[resource]?.includes(verb))
        t.strictSame(beyond, [], `${what}: ${verbs.join(', ')}${resourceNames ? ' by name' : ''} and no more`)
      }
    }
  }
}
