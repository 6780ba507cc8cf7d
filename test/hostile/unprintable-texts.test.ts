import t from 'tap'
import { terminationMessage } from '../../sidecar/termination-message.ts'
import type { Decided } from '../../webhook/review/decision.ts'
import { pendingEvent } from '../../webhook/report/events.ts'
import { annotated, appFor, reviewOf } from '../webhook/review-app.ts'

/** Apart from what the product itself looks for: a second opinion on what must never reach a terminal. */
const obeyed =
  /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff9-\uffff]|[\u{e0000}-\u{e0fff}]/u // eslint-disable-line no-control-regex, no-misleading-character-class -- that is what it is about

/** Clears the screen, sets the title, hides and reorders text, ends the line: in one character each where there is one. */
const attacks = [
  '\u001b[2J',
  '\u009b2J',
  '\u009d0;title\u009c',
  '\u0085',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u2028',
  '\ufeff',
  '\u{e0041}',
  '\u00ad',
]

/** Where an author of a pod may put a text that somebody reads. */
const places: Record<string, (text: string) => object> = {
  'the name': (text) => annotated({ splay: 'soon' }, {}, { name: `app${text}` }),
  'the generated name': (text) => annotated({ splay: 'soon' }, {}, { name: '', generateName: `app${text}` }),
  'a vault': (text) => annotated({ vault: `kv${text}` }),
  'an object': (text) => annotated({ objects: `secret/a${text}` }),
  'objects in YAML': (text) => annotated({ objects: `- name: ${JSON.stringify(`a${text}`)}` }),
  'an unknown annotation': (text) => annotated({ [`vualt${text}`]: 'x' }),
  'a value': (text) => annotated({ 'poll-interval': `1${text}m` }),
  'a template': (text) => annotated({ 'template-a': `{{ x${text} | nofilter }}` }),
  'a bundle': (text) => annotated({ [`bundle-${text}`]: text }),
  'a class': (text) => annotated({ 'secret-provider-class': `class${text}` }),
  'a signal': (text) => annotated({ signal: `HUP${text}`, 'signal-container': `c${text}` }),
  'a container': (text) => annotated({}, { containers: [{ name: `akv-injector${text}` }, { name: 'akv-injector' }] }),
  'the kind of pod': (text) => annotated({}, { containers: [{ name: text, image: 3 }] }),
  'a mount path': (text) => annotated({ 'mount-path': `/mnt/${text}` }),
}

void t.test('hostile texts: no answer, log line or Event contains a terminal control character', async (t) => {
  const app = appFor(t)
  let escapes = 0
  for (const [place, podWith] of Object.entries(places)) {
    for (const attack of attacks) {
      for (const url of ['/standby', '/report', '/guard']) {
        const { payload } = await app.server.inject({ method: 'POST', url, payload: reviewOf(podWith(attack)) })
        const lines = app.lines.splice(0).flatMap((some) => some.trimEnd().split('\n'))
        const events = app.decided.splice(0).flatMap((one) => pendingEvent(withOwner(one))?.message ?? [])
        for (const text of [payload, ...lines, ...events]) {
          if (obeyed.test(text)) t.fail(`${url}, ${JSON.stringify(attack)} in ${place}: ${JSON.stringify(text)}`)
          if (text.includes('\\u')) escapes++
        }
      }
    }
  }
  t.ok(escapes > 500, `${escapes} texts have an escape instead`)
})

/** The same review for a pod that a ReplicaSet controls: only those have Events. */
function withOwner(decided: Decided): Decided {
  const { pod } = decided
  if (pod === undefined) return decided
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'uid', controller: true }]
  return { ...decided, pod: { ...pod, metadata: { ...pod.metadata, ownerReferences } } }
}

void t.test('hostile texts: control characters of a vault do not reach the termination message', async (t) => {
  for (const attack of attacks) {
    const message = terminationMessage({
      lines: [`vault my-kv, secret a: 403 ${attack}`, `vault other: ${attack}`],
      outcome: 'forbidden',
    })
    t.notOk(obeyed.test(message.replaceAll('\n', '')), encodeURIComponent(attack))
    t.equal(message.split('\n').length, 2, 'and it stays a line for each reason')
  }
  const long = terminationMessage({ lines: ['\u009b'.repeat(3000)], outcome: 'forbidden' })
  t.ok(Buffer.byteLength(long) <= 4096, 'escapes count towards what the kubelet keeps')
})
