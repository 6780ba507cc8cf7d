import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'

/**
 * fast-json-patch copies every value that a patch adds, by way of a JSON text, so that a patch stays the same if the object changes
 * later. The webhook prints each patch at once: the copies, of a whole container among others, were a tenth of a review.
 */
export const unclonedPatches: Plugin = {
  name: 'uncloned-patches',
  setup(build) {
    build.onLoad({ filter: /\/fast-json-patch\/module\/helpers\.mjs$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const copying = /(?<=export function _deepClone\(obj\) \{).*?(?=^\})/ms
      if (!copying.test(text)) throw new Error(`${path} has no function _deepClone`)
      return { contents: text.replace(copying, ' return obj === undefined ? null : obj '), loader: 'js' }
    })
  },
}
