import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import jsonPatch, { type Operation } from 'fast-json-patch'
import t, { type Test } from 'tap'
import { settingsVariable } from '../../shared/names.ts'
import { decodeSettings } from '../../shared/settings/codec.ts'
import { decide } from '../support/decide.ts'
import { type Decision } from '../../webhook/review/decision.ts'
import { patchOf } from '../../webhook/inject/patch.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import {
  inOrder,
  oursIn,
  withAgent,
  withDefaults,
  withMesh,
  withOldTypes,
  withWorkloadIdentity,
} from '../support/kubernetes-api-server.ts'
import { goldenFolder, goldenNames, inputsOf, readGoldenCase } from '../support/golden-case.ts'
import { withoutAdditions } from './invariants.ts'

/*
 * Each `<case>.yaml` holds a pod and what the decision rests on, `<case>.patch.json` what comes of it, with the settings
 * decoded for the eye. UPDATE_GOLDEN=1 rewrites the latter; then read the difference and run prettier over them.
 */

/** The patch with the settings readable. */
function readable(patch: Operation[]): unknown {
  return JSON.parse(
    JSON.stringify(patch, (_key, value: unknown) => {
      const variable = value as { name?: string; value?: string } | null
      if (variable?.name !== settingsVariable) return value
      const decoded = decodeSettings(variable.value ?? '')
      return { name: variable.name, decoded: decoded.ok ? decoded.value : decoded.problems }
    }),
  )
}

function shown(pod: Pod, decision: Decision): unknown {
  const { warnings } = decision
  if (decision.kind === 'skip') return { decision: 'skip', reason: decision.reason, warnings }
  if (decision.kind === 'deny') return { decision: 'deny', problems: decision.problems, warnings }
  return { decision: 'inject', warnings, patch: readable(patchOf(pod, decision.pod)) }
}

/** What Pod Security `restricted` asks of containers, but for the one that signals a process of root, where the namespace lets it. */
function holdPodSecurity(t: Test, { spec }: Pod, restricted: boolean): void {
  const ours = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(({ name }) =>
    name.startsWith('akv-injector'),
  )
  t.ok(ours.length > 0)
  for (const { securityContext } of ours) {
    const isRoot = securityContext?.runAsUser === 0
    t.notOk(isRoot && restricted, 'not as root where that is refused')
    t.match(securityContext, {
      runAsNonRoot: !isRoot,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    })
    const { capabilities } = securityContext as { capabilities: { add?: string[] } }
    t.strictSame(capabilities.add ?? [], isRoot && capabilities.add ? ['KILL'] : [], 'no capability but to kill')
  }
}

t.ok(goldenNames.length > 0, 'there are cases')

for (const name of goldenNames) {
  void t.test(`golden pod: ${name}`, async (t) => {
    const given = readGoldenCase(name)
    const { pod } = given
    const before = structuredClone(pod)
    const facts = inputsOf(given)
    const decision = decide(pod, facts)
    t.strictSame(pod, before, 'the pod received stays as it was')

    const file = join(goldenFolder, `${name}.patch.json`)
    const result = JSON.parse(JSON.stringify(shown(pod, decision))) as unknown
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
    t.strictSame(result, JSON.parse(readFileSync(file, 'utf8')), 'the decision is the one written down')
    if (decision.kind !== 'inject') return

    const patched = jsonPatch.applyPatch(structuredClone(pod), patchOf(pod, decision.pod), true).newDocument
    t.strictSame(patched, decision.pod, 'the patch gives the desired pod')
    t.strictSame(withoutAdditions(pod, patched), pod, 'nothing else changed')
    t.match(decide(patched, facts), { kind: 'skip', reason: 'already-injected' }, 'a second pass changes nothing')
    const later = withDefaults(patched)
    t.match(decide(later, facts), { kind: 'skip', reason: 'already-injected' }, 'nor with the defaults of the API')
    const signedIn = withDefaults(withWorkloadIdentity(patched))
    t.match(
      decide(signedIn, facts),
      { kind: 'skip', reason: 'already-injected' },
      'nor with what the workload identity webhook adds',
    )
    const meshed = withDefaults(withMesh(patched))
    t.match(decide(meshed, facts), { kind: 'skip', reason: 'already-injected' }, 'nor with what a mesh adds')
    const watched = decide(withDefaults(withAgent(patched)), facts)
    if (watched.kind !== 'inject') throw new Error(`what an unknown webhook added: ${watched.kind}`)
    t.strictSame(oursIn(withDefaults(watched.pod)), oursIn(later), 'what an unknown webhook adds to ours is removed')
    t.match(
      watched.warnings.filter(({ reason }) => reason === 'removed-additions').map(({ text }) => text),
      oursIn(patched).containers.map(
        ({ name }) => `removed from ${String(name)}: variable AGENT_ID, mount /var/run/agent`,
      ),
    )
    t.match(
      decide(watched.pod, facts),
      { kind: 'skip', reason: 'already-injected' },
      'and a further pass changes nothing',
    )

    // The registration that comes first leaves variables to the one that comes last, whatever other webhooks drop in between.
    const first = decide(pod, { ...facts, addsVariables: false })
    if (first.kind !== 'inject') throw new Error(first.kind)
    t.notMatch(JSON.stringify(first.pod), /"volumeName":"akv-injector-secrets"/, 'the first pass adds no variables')
    t.match(
      decide(first.pod, { ...facts, addsVariables: false }),
      { kind: 'skip', reason: 'already-injected' },
      'nor does it the second time',
    )
    const last = decide(withDefaults(withOldTypes(first.pod)), facts)
    t.strictSame(
      withDefaults(last.kind === 'inject' ? last.pod : first.pod),
      later,
      'both passes lead to what one would',
    )
    t.match(
      decide(later, { ...facts, addsVariables: false }),
      { kind: 'skip', reason: 'already-injected' },
      'the first registration keeps the variables of the last one',
    )
    const restored = decide(withOldTypes(later), facts)
    t.strictSame(restored.kind === 'inject' ? restored.pod : later, later, 'what an old webhook drops is restored')

    holdPodSecurity(t, decision.pod, facts.namespace.labels['pod-security.kubernetes.io/enforce'] === 'restricted')
    // Whoever is first is asked again when the other has changed the pod.
    const oursFirst = withWorkloadIdentity(patched)
    const second = decide(withWorkloadIdentity(pod), facts)
    const theirsFirst = second.kind === 'inject' && withWorkloadIdentity(second.pod)
    t.strictSame(inOrder(theirsFirst), inOrder(oursFirst), 'the order of the two does not matter')
  })
}
