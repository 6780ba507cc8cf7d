import { setImmediate } from 'node:timers/promises'
import type { ObjectSpec } from '../objects/spec.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Settings } from '../settings/codec.ts'
import type { Fetched } from '../vault/store.ts'
import { reasonOf, RenderFailure, type FileSet, type Rendered } from './rendered.ts'
import { placeOf, renderObject } from './render-object.ts'
import { emptyGroups, type FoundObject, type Groups } from './groups.ts'

/** Objects that finds selected, by index. */
export type FoundObjects = ReadonlyMap<number, FoundObject>

/** Renders the files of a pod. */
export interface Renderer {
  /**
   * Returns the files of objects by the object's index.
   * @param changed versions, newest first, by the source that has the objects' indices
   * @param found what the pod's finds selected
   */
  objects: (
    changed: ReadonlyMap<{ readonly objects: readonly number[] }, readonly Fetched[]>,
    found?: FoundObjects,
  ) => Promise<ReadonlyMap<number, Result<Rendered>>>
  /** Returns templates and bundles by path, rendered from the objects' files. */
  texts: (files: FileSet, found?: FoundObjects) => Promise<ReadonlyMap<string, Result<Uint8Array>>>
}

/**
 * Creates a renderer of the files in the settings. Each file is rendered in its own turn of the event loop, and one
 * that fails does not stop the others. Code that only templates and bundles need is loaded with the first of them.
 */
export function createRenderer({
  objects,
  find,
  templates,
  bundles,
  variables = {},
}: Pick<Settings, 'objects' | 'find' | 'templates' | 'bundles' | 'variables'>): Renderer {
  const empty = emptyGroups(find?.finds)
  const namesOf = Map.groupBy(Object.keys(variables), (name) => variables[name])

  /** A value that a variable cannot have fails the whole file, so that file and variable never differ. */
  async function checkVariables(path: string, content: Uint8Array): Promise<void> {
    for (const name of namesOf.get(path) ?? []) (await import('./variable.ts')).printVariable(name, content)
  }

  async function checkedObject(object: ObjectSpec, versions: readonly Fetched[]): Promise<Rendered> {
    const rendered = await renderObject(object, versions)
    const [newest] = rendered.files
    if (newest === undefined || !namesOf.has(newest.path)) return rendered
    try {
      await checkVariables(newest.path, newest.content)
    } catch (cause) {
      throw new RenderFailure(`${placeOf(object, versions[0]?.version)}: ${reasonOf(cause)}`)
    }
    return rendered
  }

  async function checkedTemplate(
    { path, text }: { path: string; text: string },
    files: FileSet,
    groups: Groups,
  ): Promise<Uint8Array> {
    const { renderTemplate } = await import('./templates.ts')
    const rendered = await renderTemplate(text, objects, files, groups)
    await checkVariables(path, rendered)
    return rendered
  }

  return {
    async objects(changed, found) {
      const rendered = new Map<number, Result<Rendered>>()
      for (const [source, versions] of changed) {
        for (const index of source.objects) {
          const object = objects[index] ?? found?.get(index)?.object
          // A match that ended while it was read.
          if (!object) continue
          rendered.set(index, await attempt(() => checkedObject(object, versions)))
        }
      }
      return rendered
    },
    async texts(files, found) {
      const groups: Groups = { ...empty, members: [...(found?.values() ?? [])] }
      const rendered = new Map<string, Result<Uint8Array>>()
      for (const [path, text] of Object.entries(templates)) {
        rendered.set(path, await attempt(() => checkedTemplate({ path, text }, files, groups), `template "${path}": `))
      }
      for (const [path, format] of Object.entries(bundles)) {
        const { renderBundle } = await import('./bundles.ts')
        rendered.set(path, await attempt(() => renderBundle(format, objects, files, groups), `bundle "${path}": `))
      }
      return rendered
    },
  }
}

async function attempt<T>(render: () => Promise<T>, place = ''): Promise<Result<T>> {
  await setImmediate()
  try {
    return ok(await render())
  } catch (cause) {
    return fail(place + reasonOf(cause))
  }
}
