import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface Container {
  args: string[]
  env: { name: string; value?: string }[]
  resources: { limits: { memory: string } }
}

/** What a manifest gives a program's container: node's flags, the allocator's variables, and bytes of memory. */
function read(path: string) {
  const text = readFileSync(join(import.meta.dirname, '../../manifests', path), 'utf8')
  const deployment = parse(text) as { spec: { template: { spec: { containers: [Container] } } } }
  const [container] = deployment.spec.template.spec.containers
  return {
    flags: container.args.slice(0, -1),
    allocator: Object.fromEntries(
      container.env.flatMap(({ name, value }) => (name.startsWith('MALLOC_') ? [[name, value ?? '']] : [])),
    ),
    memory: Number(/^(\d+)Mi$/.exec(container.resources.limits.memory)?.[1]) * 1024 * 1024,
  }
}

export const webhookManifest = read('base/deployment.yaml')
export const coordinatorManifest = read('components/coordinator/deployment.yaml')
