import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { events } from '../../scripts/docs/blocks.ts'
import { linkOf } from '../../shared/kubernetes/event-sender.ts'
import { startAnchor, troubleshootingLink } from '../../shared/names.ts'
import { outcomes } from '../../shared/outcomes.ts'
import { programs } from '../../shared/start-failure.ts'
import { anchorsOf } from '../../scripts/pages/markdown.ts'
import { anchorOf, type SidecarOutcome } from '../../sidecar/outcome-anchors.ts'
import { denyReasons, helpOf, type DenyReason } from '../../webhook/reasons.ts'

const page = readFileSync('docs/troubleshooting.md', 'utf8')
/** The type checker compares this table with every outcome that the sidecar's types know. */
const codes = Object.keys(outcomes) as SidecarOutcome[]

void t.test('troubleshooting: everything that a program links to exists, once', async (t) => {
  const links = [
    ...(Object.keys(denyReasons) as DenyReason[]).map(helpOf),
    ...codes.map((code) => troubleshootingLink(anchorOf(code))),
    ...Object.keys(events).map((reason) => linkOf(reason).trim()),
    ...Object.keys(programs).map((program) => troubleshootingLink(startAnchor(program))),
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

void t.test(
  'troubleshooting: every Event in the sources is known, and every program says by the same words that it cannot start',
  async (t) => {
    const found = new Set<string>()
    for (const file of globSync('{shared,webhook,coordinator,sync,certs}/**/*.ts')) {
      const text = readFileSync(file, 'utf8')
      // The reasons of Events begin with a capital, in all programs and in Kubernetes itself.
      for (const [, reason = ''] of text.matchAll(/\breason: '([A-Z]\w+)'/g)) {
        found.add(reason)
        t.ok(Object.hasOwn(events, reason), `${file}: ${reason}`)
      }
      if (file !== 'shared/start-failure.ts') t.notMatch(text, /level: 'fatal'/, file)
    }
    t.ok(found.size >= 6, [...found].join())
    for (const program of Object.keys(programs))
      t.match(readFileSync(`${program}/main.ts`, 'utf8'), `startFailure('${program}', error)`)
  },
)
