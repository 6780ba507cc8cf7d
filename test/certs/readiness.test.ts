import t from 'tap'
import { readiness } from '../../certs/readiness.ts'
import { DAY, live, next, old, oldLeaf, segment, start, using } from './rotation-cases.ts'

void t.test('readiness: not ready without a valid certificate that every caller trusts', async (t) => {
  const cases: [string, Parameters<typeof readiness>[0], number, RegExp | undefined][] = [
    ['nothing yet', { configurations: live([old]) }, 0, /^no certificate is served yet$/],
    ['nothing, and why', { configurations: [], trouble: new Error('403') }, 0, /no certificate is served yet: 403/],
    ['trusted by all', { configurations: live([old], [next, old]), serving: oldLeaf }, 0, undefined],
    ['ended', { configurations: live([old]), serving: oldLeaf }, 30 * DAY, /not valid now/],
    ['no configuration', { configurations: [], serving: oldLeaf }, 0, /no webhook configuration/],
    [
      'not trusted by one',
      { configurations: live([old], [next]), serving: oldLeaf },
      0,
      /the caBundle of configuration 1 does not contain/,
    ],
    [
      'a path without a segment',
      { configurations: using([segment, undefined], [old]), serving: oldLeaf },
      0,
      /a path in configuration 0 has no segment yet/,
    ],
  ]
  for (const [name, state, at, reason] of cases) {
    const answer = readiness(state, start + at)
    t.equal(answer.ready, reason === undefined, name)
    if (reason) t.match(answer.reason, reason, name)
  }
})
