import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubectl, tryKubectl } from './kubectl.ts'
import { readyPods } from './pods.ts'
import { untilReachable } from './reachable.ts'
import { run } from './process.ts'
import type { E2eSettings } from './settings.ts'

const root = join(import.meta.dirname, '../../..')
const overlay = join(root, 'dist/e2e')
const images = {
  injector: 'localhost/akv-injector:e2e',
  emulator: 'localhost/akv-injector-emulator:e2e',
  user: 'localhost/akv-injector-e2e-user:e2e',
  servers: 'localhost/akv-injector-e2e-servers:e2e',
}

/** The names of the images, which scenarios read from the environment. */
export const imageVariables = ({ appImage, serversImage }: E2eSettings) => ({
  E2E_APP_IMAGE: appImage,
  E2E_IMAGE: images.injector,
  E2E_USER_IMAGE: images.user,
  E2E_SERVERS_IMAGE: serversImage ?? images.servers,
})

/**
 * Builds the images, installs the overlay `emulator` with kustomize, and removes everything again whatever becomes of `use`,
 * unless the environment has `E2E_KEEP`. @param say called with each step @param use called with the time at which the installation began
 */
export async function withInstallation<T>(
  settings: E2eSettings,
  say: (step: string) => void,
  use: (since: string) => Promise<T>,
): Promise<T> {
  try {
    writeOverlay()
    say('removing what an earlier run may have left')
    await uninstall()
    say('building and loading the images')
    await build(settings)
    say('installing')
    const since = new Date().toISOString()
    await install()
    return await use(since)
  } finally {
    if (process.env['E2E_KEEP'] === undefined) {
      say('removing everything')
      await uninstall()
    }
  }
}

async function must(command: string[], what: string): Promise<void> {
  const [program = '', ...args] = command
  const { code, stdout, stderr } = await run(program, args, { seconds: 600, cwd: root })
  if (code !== 0) throw new Error(`${what}: ${command.join(' ')}: exit code ${code}\n${stdout}${stderr}`)
}

async function build({ builder, baseImage, appImage, serversImage, loadImage }: E2eSettings): Promise<void> {
  await must([process.execPath, 'scripts/build.ts', '--emulator'], 'build')
  const base = (image: string | undefined): string[] => (image === undefined ? [] : ['--build-arg', `BASE=${image}`])
  const made: [file: string, image: string, base: string[]][] = [
    ['Containerfile', images.injector, base(baseImage)],
    ['test/emulator/Containerfile', images.emulator, base(baseImage)],
    ['test/e2e/images/user.Containerfile', images.user, base(appImage)],
    ...(serversImage === undefined
      ? ([['test/e2e/images/servers.Containerfile', images.servers, []]] as [string, string, string[]][])
      : []),
  ]
  for (const [file, image, args] of made) {
    await must([...builder, 'build', ...args, '-f', file, '-t', image, '.'], 'build the image')
    await must([...loadImage, image], 'load the image')
  }
}

/** Only the images, and the emulator's certificate, differ from what a user installs, and are set as a user would. */
function writeOverlay(): void {
  mkdirSync(overlay, { recursive: true })
  const [injector, emulator] = [images.injector, images.emulator].map((image) => image.split(':')[0])
  writeFileSync(
    join(overlay, 'kustomization.yaml'),
    `resources: [../../manifests/overlays/emulator]
components: [../../manifests/components/sync]
patches:
  - target: {kind: Deployment, name: akv-injector-sync}
    patch: |-
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: emulator-ca, configMap: {name: key-vault-emulator-ca}}}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: emulator-ca, mountPath: /etc/akv-injector-emulator, readOnly: true}}
  # The emulator's pods listen on another port than a vault.
  - target: {kind: NetworkPolicy, name: akv-injector-sync}
    patch: |-
      - {op: add, path: /spec/egress/0/ports/-, value: {protocol: TCP, port: 8443}}
images:
  - {name: akv-injector, newName: ${injector}, newTag: e2e}
  - {name: akv-injector-emulator, newName: ${emulator}, newTag: e2e}
`,
  )
}

async function install(): Promise<void> {
  await kubectl(['apply', '-k', overlay])
  const teardowns: (() => unknown)[] = []
  await untilReachable({ teardown: (end) => teardowns.push(end) }, 'akv-injector-system', 'enabled')
  for (const end of teardowns) await end()
  await readyPods('akv-injector-system', 'app.kubernetes.io/name=akv-injector-sync', 1, 60)
}

async function uninstall(): Promise<void> {
  await tryKubectl(['delete', 'mutatingwebhookconfiguration', '-l', 'akv-injector-e2e=true'])
  await tryKubectl(['delete', '-k', overlay, '--ignore-not-found', '--wait=false'])
  await tryKubectl(['delete', 'namespace', '-l', 'akv-injector-e2e=true', '--wait=false'])
  await tryKubectl(['wait', '--for=delete', 'namespace/akv-injector-system', 'namespace/key-vault', '--timeout=120s'])
}
