import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { troubleshootingLink } from '../../shared/names.ts'
import { outcomes } from '../../shared/outcomes.ts'
import { anchorsOf } from '../../scripts/pages/markdown.ts'
import { anchorOf, type SidecarOutcome } from '../../sidecar/outcome-anchors.ts'
import { denyReasons, helpOf, type DenyReason } from '../../webhook/reasons.ts'

const page = readFileSync('docs/troubleshooting.md', 'utf8')
/** The type checker compares this table with every outcome that the sidecar's types know. */
const codes = Object.keys(outcomes) as SidecarOutcome[]

void t.test('troubleshooting: everything that a denial or a termination message links to exists, once', async (t) => {
  const links = [
    ...(Object.keys(denyReasons) as DenyReason[]).map(helpOf),
    ...codes.map((code) => troubleshootingLink(anchorOf(code))),
  ]
  for (const link of links) {
    const [, file = '', anchor = ''] = /^\(docs: ([\w.-]+)#([\w-]+)\)$/.exec(link) ?? []
    const text = readFileSync(join('docs', file), 'utf8')
    t.equal(text.split(`\n### ${anchor}\n`).length, 2, link)
  }
})

void t.test('troubleshooting: every message in the index of the sidecar is one that its sources have', async (t) => {
  const sources = globSync('{shared,sidecar}/**/*.ts').map((file) => readFileSync(file, 'utf8').replaceAll("\\'", "'"))
  for (const [code, { messages }] of Object.entries(outcomes))
    for (const message of messages) {
      t.ok(
        sources.some((source) => source.includes(message)),
        `${code}: ${message}`,
      )
      t.match(page, `"${message}"`)
    }
})

void t.test('troubleshooting: every section of a page that a program names exists', async (t) => {
  for (const file of globSync('{shared,webhook,sidecar,coordinator,sync,certs,cli}/**/*.ts')) {
    for (const [place, name = '', anchor = ''] of readFileSync(file, 'utf8').matchAll(
      /\b([\w-]+\.md)#([\w-]+)(?![\w$-])/g,
    ))
      t.ok(anchorsOf(readFileSync(join('docs', name), 'utf8')).has(anchor), `${file}: ${place}`)
  }
})
