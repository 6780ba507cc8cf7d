import t from 'tap'
import { annotated } from '../review-app.ts'
import { app, injected, sidecarOf } from '../review/injected.ts'

void t.test('sidecar user: annotations take precedence over the target container and the pod', async (t) => {
  const idsOf = (annotations: Record<string, string>, spec: object = {}) => {
    const { securityContext } = sidecarOf(injected(annotated(annotations, spec))) as {
      securityContext?: { runAsUser?: number; runAsGroup?: number; runAsNonRoot?: boolean }
    }
    return [securityContext?.runAsUser, securityContext?.runAsGroup, securityContext?.runAsNonRoot]
  }
  const signal = { signal: 'SIGHUP' }
  const both = { securityContext: { runAsUser: 1, runAsGroup: 2 }, ...app({ securityContext: { runAsUser: 3 } }) }
  t.strictSame(idsOf({}), [65532, 65532, true], 'no signal')
  t.strictSame(idsOf({}, both), [65532, 65532, true], 'no signal, whatever users the pod names')
  t.strictSame(idsOf(signal, both), [3, 2, true], "the container's, then the pod's")
  t.strictSame(idsOf({ ...signal, 'run-as-user': '7', 'run-as-group': '8' }, both), [7, 8, true], 'as annotated')
  t.strictSame(idsOf(signal, { securityContext: { runAsUser: 0 } }), [0, 65532, false], 'root where the target is')
  t.strictSame(idsOf({ ...signal, 'signal-permission': 'cap-kill' }, both), [0, 0, false], 'root that may kill')
  t.strictSame(idsOf({ 'signal-permission': 'cap-kill' }), [65532, 65532, true], 'not without a signal')
})

void t.test("mount paths: the sidecar uses the app's path unless it needs that itself", async (t) => {
  for (const [path, own] of [
    ['/etc/app/secrets', '/mnt/secrets'],
    ['/run/secrets/app', '/mnt/secrets'],
    ['/secrets', '/secrets'],
    ['/application', '/application'],
  ] as const) {
    const decision = injected(annotated({ 'mount-path': path }))
    t.equal(decision.settings.mountPath, own)
    t.match(sidecarOf(decision).volumeMounts, [{ name: 'akv-injector-secrets', mountPath: own }])
    t.match(decision.pod.spec.containers, [{ volumeMounts: [{ mountPath: path, readOnly: true }] }])
  }
})
