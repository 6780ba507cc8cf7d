import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { readPeer } from './folder.ts'

const deployment = 'kind: Deployment\nmetadata: { name: injector, namespace: vault }\n'
const configuration = 'kind: MutatingWebhookConfiguration\nmetadata: { name: injector-cfg }\n'
const complete = {
  'image.tar': '',
  'manifests.yaml': `${deployment}---\n${configuration}---\n`,
  'pod.yaml': 'kind: Pod\nmetadata: { name: app }\n',
}

void t.test('peer: the folder names what is measured', async (t) => {
  const folder = temporaryFolder(t)
  const write = (files: Record<string, string>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  }
  t.throws(() => readPeer(folder), { message: `${folder} has no image.tar, manifests.yaml, pod.yaml` })
  write(complete)
  t.match(readPeer(folder), {
    image: join(folder, 'image.tar'),
    ...{ namespace: 'vault', deployment: 'injector', configuration: 'injector-cfg' },
    pod: { metadata: { name: 'app' } },
  })
  write({ 'manifests.yaml': deployment })
  t.throws(() => readPeer(folder), { message: /manifests.yaml has no MutatingWebhookConfiguration$/ })
  write({ 'manifests.yaml': `${complete['manifests.yaml']}${deployment}` })
  t.throws(() => readPeer(folder), { message: /manifests.yaml has more than one Deployment$/ })
  write({ ...complete, 'pod.yaml': deployment })
  t.throws(() => readPeer(folder), { message: /pod.yaml has no Pod$/ })
})
