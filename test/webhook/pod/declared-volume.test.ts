import t from 'tap'
import { decide } from '../../support/decide.ts'
import { planInputs } from '../default-configuration.ts'
import { annotated } from '../review-app.ts'

/** What a pod is denied for that declares the volume of the secrets, or other ones of the injector's, itself. */
function problemsOf(...volumes: object[]): string[] {
  const decision = decide(annotated({}, { volumes }), planInputs())
  return decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : []
}
const secrets = (source: object) => ({ name: 'akv-injector-secrets', ...source })
const inMemory = secrets({ emptyDir: { medium: 'Memory' } })

void t.test('declared volumes: the volume of the secrets may be declared once, as an emptyDir in memory', async (t) => {
  t.strictSame(problemsOf(inMemory), [])
  t.strictSame(problemsOf(secrets({ emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } })), [], 'its size is replaced')
  const text =
    'clash: the pod has a volume "akv-injector-secrets", which is a name of the injector: choose another one, or declare it once, as an emptyDir with medium: Memory'
  t.strictSame(problemsOf(inMemory, inMemory), [text, text], 'twice')
  const others: Record<string, object> = {
    'on the disk': { emptyDir: {} },
    'on the disk, by name': { emptyDir: { medium: '' } },
    'of another source': { configMap: { name: 'x' } },
    'of two sources': { emptyDir: { medium: 'Memory' }, configMap: { name: 'x' } },
    'without a source': { emptyDir: null },
    'with a field that is not known': { emptyDir: { medium: 'Memory', futureField: 'x' } },
  }
  for (const [name, source] of Object.entries(others)) t.strictSame(problemsOf(secrets(source)), [text], name)
})

void t.test('declared volumes: no other volume of the injector may be declared', async (t) => {
  for (const name of ['akv-injector-token', 'akv-injector-podinfo', 'akv-injector-run']) {
    t.strictSame(problemsOf({ name, emptyDir: { medium: 'Memory' } }), [
      `clash: the pod has a volume "${name}", which is a name of the injector: choose another one`,
    ])
  }
})

void t.test('declared volumes: the mounts of a container may come back in another order', async (t) => {
  const file = { name: 'akv-injector-secrets', mountPath: '/app/settings.ini', subPath: 'settings.ini', readOnly: true }
  const containers = [{ name: 'app', volumeMounts: [file] }]
  const first = decide(annotated({}, { containers, volumes: [inMemory] }), planInputs())
  if (first.kind !== 'inject') throw new Error(first.kind)
  const [app] = first.pod.spec.containers ?? []
  t.strictSame(
    app?.volumeMounts?.map(({ mountPath }) => mountPath),
    ['/app/settings.ini', '/mnt/secrets'],
  )
  const turned = [{ ...app, volumeMounts: app?.volumeMounts?.toReversed() }]
  const again = { ...first.pod, spec: { ...first.pod.spec, containers: turned } }
  t.match(decide(again, planInputs()), { kind: 'skip', reason: 'already-injected' })
})
