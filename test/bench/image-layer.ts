import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { root } from '../demo/bundles.ts'
import type { Bench } from './bench.ts'

/**
 * The layers of an image on top of its base, compressed like in a registry: the files of every COPY in the
 * Containerfile.
 */
export const imageLayer: Bench = {
  ids: ['image-layer'],
  async run() {
    const files = copied(readFileSync(join(root, 'Containerfile'), 'utf8'))
    const archive = execFileSync('tar', ['-c', ...files], { cwd: root, maxBuffer: 2 ** 28 })
    return [{ id: 'image-layer', unit: 'MB', samples: [gzipSync(archive).length / 1e6], target: { atMost: 2 } }]
  },
}

function copied(containerfile: string): string[] {
  const patterns = [...containerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '))
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }))
  if (files.length === 0) throw new Error('the Containerfile copies no file that is there')
  return files.sort()
}
