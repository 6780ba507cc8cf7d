import { setImmediate } from 'node:timers/promises'
import type { Settings } from '../shared/settings.ts'
import { reasonOf } from './render/rendered.ts'
import { renderObject } from './render/render-object.ts'
import type { Render } from './tick.ts'

/** Makes files as the settings ask, each on a turn of its own of the event loop. What only templates and bundles need is loaded with the first of them. */
export function rendering({
  objects,
  templates,
  bundles,
}: Pick<Settings, 'objects' | 'templates' | 'bundles'>): Render {
  return {
    async object(index, versions) {
      const object = objects[index]
      if (!object) throw new TypeError(`there is no object ${index}`)
      await setImmediate()
      return renderObject(object, versions)
    },
    async texts(files) {
      const made = new Map<string, Uint8Array | string>()
      const make = async (path: string, what: string, render: () => Promise<Uint8Array>) => {
        await setImmediate()
        made.set(path, await render().catch((cause: unknown) => `${what} "${path}": ${reasonOf(cause)}`))
      }
      for (const [path, text] of Object.entries(templates)) {
        const { renderTemplate } = await import('./render/templates.ts')
        await make(path, 'template', () => renderTemplate(text, objects, files))
      }
      for (const [path, format] of Object.entries(bundles)) {
        const { renderBundle } = await import('./render/bundles.ts')
        await make(path, 'bundle', () => renderBundle(format, objects, files))
      }
      return made
    },
  }
}
