import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { get, kubectl, tryApply } from './support/kubectl.ts'
import { installHalves } from './support/own-installation.ts'
import type { Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'
import { reviewOf, startStranger } from './support/stranger.ts'

const system = 'platform-forged'
const configuration = 'mutatingwebhookconfiguration'
const registration = 'akv-injector-forged'
const asks = { vault: 'my-kv', objects: 'db-password' }

interface Entry {
  name: string
  failurePolicy: string
  clientConfig: { service: { name: string; path?: string } }
}
interface Sidecar {
  name: string
  command?: string[]
  env?: { name: string; value?: string }[]
}

/** Creates copies of one injected pod as its author exported and edited them, in a dry run. */
async function startForger(namespace: string) {
  const dryRun = (one: object) => tryApply([one], '--dry-run=server', '-o', 'json')
  const { stdout } = await dryRun(
    pod(namespace, 'app', { annotations: asks, containers: [{ name: 'app', script: 'true' }] }),
  )
  const { metadata, spec } = JSON.parse(stdout) as Pod
  const { name, labels, annotations: written } = metadata
  const original = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, labels, annotations: written }, spec }
  const sidecarOf = ({ spec }: Pick<Pod, 'spec'>) =>
    spec.initContainers?.find(({ name }) => name === sidecarContainer) as Sidecar
  return {
    original: sidecarOf(original),
    /** Returns the sidecar that the copy would run with, or why it is denied. */
    create: async (edit: (sidecar: Sidecar) => void = () => undefined) => {
      const copy = structuredClone(original)
      edit(sidecarOf(copy))
      const { code, stdout, stderr } = await dryRun(copy)
      return { sidecar: code === 0 ? sidecarOf(JSON.parse(stdout) as Pod) : undefined, denial: stderr }
    },
  }
}

/** Runs the author's code with the sidecar's identity. */
const forge = (sidecar: Sidecar): void => {
  sidecar.command = ['sh']
  sidecar.env?.push({ name: 'NODE_OPTIONS', value: '--require /mnt/x.js' })
}
const repeat = (sidecar: Sidecar): void => void sidecar.env?.push({ name: 'AKV_INJECTOR_SETTINGS', value: 'e30' })

const entries = async (): Promise<Entry[]> =>
  (await get<{ webhooks: Entry[] }>('', configuration, registration)).webhooks

void t.test('forged sidecar: copies of injected pods', async (t) => {
  const { scale } = await installHalves(t, 'forged', system)
  const team = await makeTeam(t, { [injectionLabel]: 'forged' })
  const { create, original } = await startForger(team)
  // The node may route to a replica a moment after it is ready, and copies are rejected until then.
  await eventually('both halves are reached', async () => (await create()).sidecar)

  for (const when of ['both halves answer', 'the webhook is down']) {
    await t.test(`forged sidecar: ${when}, a copy runs with a new sidecar or is denied`, async (t) => {
      if (when === 'the webhook is down') await scale('webhook', 0)
      t.strictSame((await create()).sidecar, original, 'an exact copy passes')
      t.strictSame((await create(forge)).sidecar, original, 'a forged sidecar is written again')
      t.match(
        (await create(repeat)).denial,
        /copy\.azure.* denied the request: .*has the variable AKV_INJECTOR_SETTINGS twice/,
      )
    })
  }

  await t.test(
    'forged sidecar: if only the call that rewrites copies fails, a forged one is denied and an exact one passes',
    async (t) => {
      const entry = (await entries()).findIndex(({ name }) => name.startsWith('copy.'))
      const call = (service: string): Promise<string> => {
        const patch = [{ op: 'replace', path: `/webhooks/${entry}/clientConfig/service/name`, value: service }]
        return kubectl(['patch', configuration, registration, '--type=json', '-p', JSON.stringify(patch)])
      }
      await call('nothing-there')
      const denial = await eventually('a forged sidecar is denied', async () => (await create(forge)).denial)
      t.match(
        denial,
        /copy-guard\.azure.* denied the request: .*the sidecar of the pod differs from what akv-injector would inject today/,
      )
      t.strictSame((await create()).sidecar, original)
      await call('akv-injector-standby')
      await eventually('a forged sidecar is written again', async () => (await create(forge)).sidecar)
    },
  )

  await t.test(
    'forged sidecar: if the standby is down, every copy is denied, and no denial shows a path that injects',
    async (t) => {
      await scale('standby', 0)
      await scale('webhook', 1)
      const denials = [await create(), await create(forge), await create(repeat)].map(({ denial }) => denial)
      await scale('webhook', 0)
      denials.push((await create(forge)).denial)
      for (const denial of denials) t.match(denial, /failed calling webhook "copy-guard\.azure\.keyvault\.injector"/)
      for (const { name, failurePolicy, clientConfig } of await entries()) {
        const [, segment = 'none'] = /^\/([0-9a-f]{32})\//.exec(clientConfig.service.path ?? '') ?? []
        t.match(segment, /^[0-9a-f]{32}$/, `${name} has a segment`)
        t.equal(denials.join().includes(segment), failurePolicy === 'Fail', `${name}: ${failurePolicy}`)
      }
      await scale('standby', 1)
      const [url = ''] = /https:[^"?]+/.exec(denials.join()) ?? []
      const stranger = await startStranger(t)
      const asked = pod(team, 'app', { annotations: asks, containers: [{ name: 'app', script: 'true' }] })
      const { status, text } = await stranger.post(url, reviewOf(asked))
      t.match(
        { status, text },
        { status: 200, text: /"allowed":false.*"not-injected"/ },
        'what it shows opens one path',
      )
      t.notMatch(text, /patch/, 'whose answer does not tell what would be injected')
      for (const other of ['copy', 'standby', 'mutate', 'guard'])
        t.match(await stranger.post(url.replace(/[^/]+$/, other), reviewOf(asked)), { status: 404 }, other)
    },
  )
})
