import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where an image is: its name without a tag, and a tag or a digest. */
export interface ImageReference {
  name: string
  tag: string
}

/** The image names that the manifests use, each of which a release replaces. */
export type ReleaseImages = Readonly<Record<'akv-injector' | 'akv-injector-emulator', ImageReference>>

/**
 * Renders an overlay of `manifests/overlays` with the images of a release, as one file for `kubectl apply -f`.
 * @param scratch a folder that may be written, inside of which a kustomization is made and removed again
 * @throws Error with kustomize's own words
 */
export function renderOverlay(overlay: string, images: ReleaseImages, scratch: string): string {
  const folder = join(scratch, `.release-${overlay}`)
  mkdirSync(folder, { recursive: true })
  const replacements = Object.entries(images).map(([name, image]) => ({ name, newName: image.name, newTag: image.tag }))
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [`../overlays/${overlay}`],
    images: replacements,
  }
  try {
    // YAML contains JSON.
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    return execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
