import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { build } from 'esbuild'
import { optionsOf } from '../../scripts/build.ts'
import { podinfoFolder, runFolder, settingsVariable, terminationLog } from '../../shared/names.ts'
import { encodeSettings, type Settings } from '../../shared/settings/codec.ts'
import { startEmulator, type Emulator } from '../emulator/emulator.ts'
import { makeIssuer, type TestIssuer } from '../emulator/issuer.ts'
import { memoryFolder } from './temporary-folder.ts'
import { settingsWith } from './settings.ts'
import { until } from './until.ts'
import { freePort } from './free-port.ts'

export interface StartOptions {
  /** The program to run; default: the sidecar. */
  program?: 'sidecar' | 'probe'
  /** The program's arguments. */
  args?: string[]
  /** Node's arguments. */
  flags?: string[]
  /** A program, with its own arguments, that runs the rest of its arguments. */
  within?: string[]
  /** Replaces the fixture's environment. */
  settings?: Settings
  env?: Record<string, string>
}

/** The sidecar's real bundle with an emulated cloud, in its own folder. */
export interface SidecarFixture {
  emulator: Emulator
  /** The issuer of the pod's tokens. */
  issuer: TestIssuer
  /** The folder that contains the process's absolute paths. */
  root: string
  mount: string
  /** The path of the pod's ServiceAccount token. */
  tokenPath: string
  settings: Settings
  /** Starts the bundle with these settings; its log is kept. */
  start(options?: StartOptions): Running
  /** Writes the pod's live annotations as the downward API would. */
  annotate(values: Record<string, string>): void
  end(): Promise<void>
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Running {
  process: ChildProcess
  /** `http://127.0.0.1:<port>` */
  url: string
  /** Everything it printed so far. */
  output(): string
  /** The log so far, by line. */
  log(): Record<string, unknown>[]
  exited: Promise<Exit>
  stop(signal?: NodeJS.Signals): Promise<void>
}

const linesOf = (output: string): Record<string, unknown>[] =>
  output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))

const suffix = 'vault.emulator.example'
export const clientId = '11111111-2222-4333-8444-555555555555'

/** Names that no resolver knows: the sidecar reaches them through the emulator's proxy. */
export async function startSidecarFixture(
  objects: string[],
  overrides: Partial<Settings> = {},
): Promise<SidecarFixture> {
  const folder = memoryFolder('sidecar-')
  const root = join(folder, 'root')
  const script = (program: string) => join(folder, 'dist', `${program}.js`)
  for (const program of ['sidecar', 'probe']) await build({ ...optionsOf(program), outdir: join(folder, 'dist') })
  writeFileSync(join(folder, 'dist/package.json'), '{"type":"module"}')

  const issuer = makeIssuer()
  const subject = 'system:serviceaccount:shop:web'
  const authorityHost = 'https://login.emulator.example/'
  const emulator = await startEmulator({
    suffix,
    authorityHost,
    names: [new URL(authorityHost).hostname],
    issuers: [issuer],
    credentials: [{ clientId, issuer: issuer.issuer, subject }],
  })
  const proxy = await emulator.proxy()
  const settings = settingsWith(objects, {
    ...overrides,
    port: await freePort(),
    clouds: { Emulator: { authorityHost, vaultSuffix: suffix, caCertificates: emulator.ca } },
    identities: [{ cloud: 'Emulator', tenantId: emulator.tenant, clientId }],
  })
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const tokenPath = '/var/run/secrets/akv-injector/token'
  write(tokenPath, await issuer.token({ namespace: 'shop', serviceAccount: 'web', expiresIn: 3600 }))
  write(join(podinfoFolder, 'name'), 'web-0')
  write(join(podinfoFolder, 'namespace'), 'shop')
  mkdirSync(join(root, settings.mountPath), { recursive: true })
  mkdirSync(join(root, dirname(terminationLog)), { recursive: true })
  mkdirSync(join(root, runFolder), { recursive: true })

  const running = new Set<Running>()
  return {
    ...{ emulator, issuer, root, settings },
    mount: join(root, settings.mountPath),
    tokenPath: join(root, tokenPath),
    start({ program = 'sidecar', args = [], flags = [], within = [], settings: own = settings, env = {} } = {}) {
      const [command = '', ...rest] = [...within, process.execPath, ...flags, script(program), ...args]
      const child = spawn(command, rest, {
        env: {
          [settingsVariable]: encodeSettings(own),
          AKV_INJECTOR_ROOT: root,
          AZURE_FEDERATED_TOKEN_FILE: tokenPath,
          HTTPS_PROXY: proxy,
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => (output += text))
      const exit = Promise.withResolvers<Exit>()
      child.on('close', (code, signal) => exit.resolve({ code, signal }))
      const exited = exit.promise
      const one: Running = {
        process: child,
        url: `http://127.0.0.1:${own.port}`,
        output: () => output,
        log: () => linesOf(output),
        exited,
        async stop(signal = 'SIGTERM') {
          running.delete(one)
          child.kill(signal)
          await exited
        },
      }
      running.add(one)
      return one
    },
    annotate: (values) => Object.entries(values).forEach(([name, text]) => write(join(podinfoFolder, name), text)),
    async end() {
      for (const one of running) await one.stop('SIGKILL')
      await emulator.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export const isReady = async ({ url, exited }: Running): Promise<boolean> => {
  const gone = exited.then(({ code }) => {
    throw new Error(`the sidecar ended with ${code}`)
  })
  return until('ready', () =>
    Promise.race([
      gone,
      fetch(`${url}/startupz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    ]),
  )
}

/** Returns the text that a user reads. */
export const read = (mount: string, path: string): string => readFileSync(join(mount, path), 'utf8')
