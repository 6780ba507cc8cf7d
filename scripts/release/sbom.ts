import { execFileSync } from 'node:child_process'

interface Component {
  'bom-ref': string
  name: string
  properties?: { name: string; value: string }[]
}

interface Sbom {
  serialNumber?: string
  metadata: { timestamp?: string; component: Component }
  components: Component[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

/**
 * The bill of materials of everything that runs in a cluster, as CycloneDX JSON, from the lockfile. Equal lockfiles give equal bytes:
 * npm's serial number and timestamp are left out, and so is the name of the folder, which npm takes for that of the package.
 * {@link https://docs.npmjs.com/cli/commands/npm-sbom}
 */
export function createSbom(root: string): string {
  const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only']
  const sbom = JSON.parse(
    execFileSync('npm', args, {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  ) as Sbom
  delete sbom.serialNumber
  delete sbom.metadata.timestamp
  sbom.metadata.component.name = 'akv-injector'
  // npm's own `--omit=dev` leaves out packages that a development dependency needs as well.
  sbom.components = sbom.components.filter((component) => !isForDevelopment(component))
  const refs = new Set([sbom.metadata.component, ...sbom.components].map((component) => component['bom-ref']))
  sbom.dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }))
  return `${JSON.stringify(sbom, undefined, 2)}\n`
}

const isForDevelopment = ({ properties = [] }: Component): boolean =>
  properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true')
