import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface Container {
  args: string[]
  env: { name: string; value?: string }[]
  resources: { limits: { memory: string } }
}
const file = join(import.meta.dirname, '../../manifests/base/deployment.yaml')
const deployment = parse(readFileSync(file, 'utf8')) as {
  spec: { template: { spec: { containers: [Container] } } }
}
const [container] = deployment.spec.template.spec.containers

/** What the manifest gives the webhook's container: node's flags, the allocator's variables, and bytes of memory. */
export const webhookManifest = {
  flags: container.args.slice(0, -1),
  allocator: Object.fromEntries(
    container.env.flatMap(({ name, value }) => (name.startsWith('MALLOC_') ? [[name, value ?? '']] : [])),
  ),
  memory: Number(/^(\d+)Mi$/.exec(container.resources.limits.memory)?.[1]) * 1024 * 1024,
}
