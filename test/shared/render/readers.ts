import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { parse as parseYaml } from 'yaml'

/** What a program finds in a bundle. */
export type Reader = (text: string) => Record<string, unknown>

export const node: Reader = (text) => parseEnv(text)

/** A POSIX shell that exports what it sources; throws where the file stops it. */
export const shell: Reader = (text) => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'))
  try {
    writeFileSync(join(folder, '.env'), text)
    const script = 'set -a; . ./.env; set +a; exec env -0'
    // `env -i` by name: the test runner adds its own variables to whatever a test starts.
    const sh = ['-i', `PATH=${process.env['PATH']}`, 'sh', '-c', script]
    const printed = execFileSync('env', sh, { cwd: folder, stdio: 'pipe' }).toString()
    const variables = printed.split('\0').filter((entry) => /^(?!(PATH|PWD|OLDPWD|SHLVL|_)=)./s.test(entry))
    return Object.fromEntries(variables.map((entry) => /^(.*?)=(.*)$/s.exec(entry)!.slice(1) as [string, string]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const json: Reader = (text) => JSON.parse(text) as Record<string, unknown>
export const yaml12: Reader = (text) => parseYaml(text, { version: '1.2' }) as Record<string, unknown>
export const yaml11: Reader = (text) => parseYaml(text, { version: '1.1' }) as Record<string, unknown>

/** As `java.util.Properties.load` is documented, from a stream of Latin-1. */
export const properties: Reader = (text) => {
  const latin1 = Buffer.from(text).toString('latin1')
  const lines = latin1.replace(/(?<!\\)((?:\\\\)*)\\(?:\r\n|\r|\n)[ \t\f]*/g, '$1').split(/\r\n|\r|\n/)
  const entries = lines
    .filter((line) => /^[ \t\f]*[^ \t\f#!]/.test(line))
    .map((line) => {
      const [, key = '', value = ''] = /^[ \t\f]*((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(line) ?? []
      return [unescapeProperty(key), unescapeProperty(value)]
    })
  return Object.fromEntries(entries) as Record<string, string>
}

const unescapeProperty = (text: string): string =>
  text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, escaped: string) => {
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[escaped] ?? escaped
  })

/** The JDK's own reader, from a stream and from a UTF-8 reader, where a JDK is installed. */
export const java: Reader[] =
  spawnSync('java', ['--version']).status !== 0
    ? []
    : (['stream', 'reader'] as const).map((how) => (text) => {
        const source = `
      import java.io.*; import java.nio.charset.StandardCharsets; import java.util.*;
      public class Load {
        public static void main(String[] args) throws Exception {
          Properties loaded = new Properties();
          if (args[0].equals("stream")) loaded.load(System.in);
          else loaded.load(new InputStreamReader(System.in, StandardCharsets.UTF_8));
          Base64.Encoder base64 = Base64.getEncoder();
          for (String key : loaded.stringPropertyNames()) {
            System.out.println(base64.encodeToString(key.getBytes("UTF-16LE")) + " "
              + base64.encodeToString(loaded.getProperty(key).getBytes("UTF-16LE")));
          }
        }
      }`
        const folder = mkdtempSync(join(tmpdir(), 'properties-'))
        try {
          const file = join(folder, 'Load.java')
          writeFileSync(file, source)
          const lines = execFileSync('java', [file, how], { input: text }).toString().split('\n').filter(Boolean)
          const decode = (part: string) => Buffer.from(part, 'base64').toString('utf16le')
          return Object.fromEntries(lines.map((line) => line.split(' ').map(decode) as [string, string]))
        } finally {
          rmSync(folder, { recursive: true })
        }
      })
