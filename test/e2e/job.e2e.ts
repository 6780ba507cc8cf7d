import t from 'tap'
import { podTemplate } from './support/apps.ts'
import { apply, get, list } from './support/kubectl.ts'
import { logHas, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

interface Job {
  status: { conditions?: { type: string; status: string }[] }
}

for (const mode of ['native', 'once']) {
  void t.test(`job: a Job completes with its sidecar in mode ${mode}`, async (t) => {
    const { namespace, vault } = await makeFixture(t, { 'db-password': 'for-the-job' })
    const { metadata, spec } = podTemplate({
      annotations: { vault, objects: 'db-password', mode },
      containers: [{ name: 'app', script: 'echo job: $(cat /mnt/secrets/db-password)' }],
      spec: { restartPolicy: 'Never' },
    })
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'report', namespace },
      spec: { backoffLimit: 0, template: { metadata, spec } },
    })
    await eventually(
      'the Job is complete',
      async () => {
        const { status } = await get<Job>(namespace, 'job', 'report')
        return status.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True')
      },
      { seconds: 90 },
    )
    const [pod] = await list<Pod>(namespace, 'pods', 'job-name=report')
    t.ok(pod)
    await logHas(namespace, pod!.metadata.name, 'app', 'job: for-the-job')
    t.equal(pod!.status.phase, 'Succeeded')
  })
}
