import type { Test } from 'tap'
import {
  annotationPrefix,
  environmentContainer,
  initContainer,
  secretsVolume,
  sidecarContainer,
  standbyAnnotation,
} from '../../shared/names.ts'
import { called, isIn, ofKind, type Labels, type Webhook } from './manifest-fields.ts'
import type { Manifest } from './rendered.ts'

/** Checks that the standby can answer if the first entry's pods are gone. */
export function checkStandby(t: Test, all: readonly Manifest[]): void {
  const [mutating, last] = ofKind(all, 'MutatingWebhookConfiguration').toSorted((one, other) =>
    one.metadata.name < other.metadata.name ? -1 : 1,
  )
  const [copy, copyGuard, first, standby] = called(mutating!)
  t.strictSame(
    [copy, copyGuard, first, standby].map((one) => one?.path),
    ['/copy', '/copy-guard', '/mutate', '/standby'],
    'in this order',
  )
  const [env, envStandby] = called(last!)
  t.strictSame(
    [env, envStandby].map((one) => one?.path),
    ['/env', '/env-standby'],
  )
  const services = [first, standby].map((one) => one?.clientConfig.service.name)
  const deployments = ofKind(all, 'Deployment') as (Manifest & { spec: { selector: { matchLabels: Labels } } })[]
  const answering = services.map((name) => {
    const service = ofKind(all, 'Service').find(({ metadata }) => metadata.name === name) as Manifest & {
      spec: { selector: Labels }
    }
    return deployments
      .filter(({ spec }) => isIn(service.spec.selector, spec.selector.matchLabels))
      .map(({ metadata }) => metadata.name)
  })
  t.strictSame(
    answering,
    services.map((name) => [name]),
    'each entry calls its own Deployment',
  )
  const same = ({ rules, namespaceSelector, objectSelector }: Webhook) => ({ rules, namespaceSelector, objectSelector })
  t.strictSame(same(standby!), same(first!), 'both entries match the same pods')
  for (const [one, half] of [
    [env, first],
    [envStandby, standby],
  ]) {
    t.strictSame(same(one!), same(first!), `${one?.name}: the same pods`)
    t.equal(one?.clientConfig.service.name, half?.clientConfig.service.name, `${one?.name}: the Deployment of its half`)
  }
  const [validating] = ofKind(all, 'ValidatingWebhookConfiguration')
  const guard = called(validating!).find(({ path }) => path === '/guard')
  t.strictSame(same(guard!), same(first!), 'the guard matches the same pods')
  t.strictSame(same(copy!), same(first!), 'the entry for copies matches the same pods')
  const differing = ({
    path: _path,
    name: _name,
    failurePolicy: _policy,
    ...rest
  }: ReturnType<typeof called>[number]) => ({ ...rest, clientConfig: rest.clientConfig.service.name })
  t.strictSame(
    differing(copyGuard!),
    differing(copy!),
    'the guard for copies differs from that entry only in its policy',
  )
  const sidecar = (of: Webhook | undefined, name: string) =>
    of?.matchConditions?.find((one) => one.name === name)?.expression
  t.equal(
    `!(${sidecar(copyGuard, 'has-a-sidecar')}) || ('${annotationPrefix}env' in object.metadata.annotations && ${sidecar(envStandby, 'lacks-variables')})`,
    sidecar(guard, 'has-no-sidecar-or-lacks-variables'),
    'the guard sees every pod without a sidecar, which the entry for copies does not see, or without variables',
  )
  t.equal(sidecar(env, 'has-a-sidecar'), sidecar(copyGuard, 'has-a-sidecar'))
  t.strictSame(
    envStandby?.matchConditions?.slice(0, -1),
    env?.matchConditions,
    'the second half skips only pods that the first half changed',
  )
  const [status, inject, ...asking] = ['status', 'inject', 'objects', 'secret-provider-class', 'env'].map(
    (name) => annotationPrefix + name,
  )
  for (const [webhook, ...named] of [
    [copyGuard, [sidecarContainer, initContainer], [inject]],
    [standby, [status, standbyAnnotation, sidecarContainer, initContainer], [inject]],
    [guard, asking, [sidecarContainer, initContainer, environmentContainer, secretsVolume], [inject]],
    [env, [`${annotationPrefix}env`], [sidecarContainer, initContainer], [inject]],
  ] as const) {
    const conditions = webhook?.matchConditions?.map(({ expression }) => expression) ?? []
    t.equal(conditions.length, named.length)
    for (const [index, names] of named.entries())
      for (const name of names)
        t.ok(conditions[index]?.includes(`'${name}'`), `${webhook?.name}: condition ${index + 1} names ${name}`)
  }
}
