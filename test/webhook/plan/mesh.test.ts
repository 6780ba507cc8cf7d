import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'

const istio = 'traffic.sidecar.istio.io'
const linkerd = 'config.linkerd.io'

/** What becomes of a pod's annotations under a classic mesh, with the problems and warnings. */
function under(classicMesh: string, annotations: Record<string, string>, spec: object = {}, ofNamespace = {}) {
  const namespace = { name: 'shop', labels: {}, annotations: ofNamespace }
  const decision = decide(
    annotated(annotations, spec),
    planInputs({ namespace, configuration: configurationOf({ classicMesh }) }),
  )
  return {
    ports: decision.kind === 'inject' ? (decision.pod.metadata?.annotations ?? {}) : {},
    problems: decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : [],
    warnings: decision.warnings.map(({ reason, text }) => `${reason}: ${text}`),
  }
}

void t.test("mesh: the sidecar's ports are added to the pod's own lists", async (t) => {
  const outbound: Record<string, string> = {
    '3306': '3306,443',
    '': '443',
    ' ': '443',
    '3306, 6379 ,': '3306,6379,443',
    '*': '*',
    '443': '443',
    ' 443 ': ' 443 ',
    '400-500': '400-500',
    '25,400 - 500': '25,400 - 500',
    '444-500': '444-500,443',
    '4430,1443': '4430,1443,443',
  }
  for (const [mesh, exclude, inbound] of [
    ['istio', `${istio}/excludeOutboundPorts`, `${istio}/excludeInboundPorts`],
    ['linkerd', `${linkerd}/skip-outbound-ports`, `${linkerd}/skip-inbound-ports`],
    ['kuma', 'traffic.kuma.io/exclude-outbound-ports', 'traffic.kuma.io/exclude-inbound-ports'],
    [
      'consul',
      'consul.hashicorp.com/transparent-proxy-exclude-outbound-ports',
      'consul.hashicorp.com/transparent-proxy-exclude-inbound-ports',
    ],
  ] as const) {
    for (const [before, after] of Object.entries(outbound)) {
      const { ports, warnings } = under(mesh, { [exclude]: before, [inbound]: '8080' })
      t.equal(ports[exclude], after, `${mesh}: "${before}"`)
      t.equal(ports[inbound], '8080,20471')
      t.strictSame(warnings, [])
    }
    t.equal(under(mesh, { [inbound]: '20000-21000' }).ports[inbound], '20000-21000', `${mesh}: a range inbound`)
  }
})

void t.test("mesh: a pod that gets its own list keeps the ports of its Namespace's list", async (t) => {
  const skip = `${linkerd}/skip-outbound-ports`
  t.equal(under('linkerd', {}, {}, { [skip]: '25,587' }).ports[skip], '25,587,443')
  t.equal(
    under('linkerd', { [skip]: '3306' }, {}, { [skip]: '25,587' }).ports[skip],
    '3306,443',
    "the pod's own counts",
  )
  t.equal(under('linkerd', {}, {}, { [skip]: '443' }).ports[skip], undefined, 'it has the port already')
})

void t.test("mesh: a pod with a proxy is denied unless its lists contain the sidecar's ports", async (t) => {
  const proxied = { containers: [{ name: 'app' }, { name: 'istio-proxy' }] }
  const { problems } = under('istio', { [`${istio}/excludeOutboundPorts`]: '3306' }, proxied)
  t.match(problems, [/^mesh: .*excludeOutboundPorts: "3306,443" and .*excludeInboundPorts: "20471", or configure/])
  const listed = { [`${istio}/excludeOutboundPorts`]: '*', [`${istio}/excludeInboundPorts`]: '20471' }
  t.strictSame(under('istio', listed, proxied).problems, [])
})

void t.test("mesh: Istio's lists of included ports may not contain the sidecar's ports", async (t) => {
  const include = (annotations: Record<string, string>) =>
    under('istio', Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`${istio}/${name}`, value])))
  t.strictSame(include({ includeOutboundPorts: '80,443' }).warnings, [
    `mesh-ports: remove 443 from ${istio}/includeOutboundPorts: the sidecar needs it to bypass the proxy`,
  ])
  t.strictSame(include({ includeOutboundPorts: '*' }).warnings, [])
  t.match(include({ includeInboundPorts: '8080,20000-20500' }).problems, [/includeInboundPorts names 20471, on which/])
  const some = include({ includeInboundPorts: '8080' })
  t.equal(some.ports[`${istio}/excludeInboundPorts`], undefined, 'what is not taken need not be left out')
  t.equal(include({ includeInboundPorts: '*' }).ports[`${istio}/excludeInboundPorts`], '20471')
})

void t.test('mesh: a list that is too long is not read', async (t) => {
  const text = (annotation: string) => [`mesh: annotation ${annotation} has more than 16384 characters: shorten it`]
  const long = '1,'.repeat(8_193)
  for (const name of ['excludeOutboundPorts', 'excludeInboundPorts', 'includeOutboundPorts', 'includeInboundPorts'])
    t.strictSame(under('istio', { [`${istio}/${name}`]: long }).problems, text(`${istio}/${name}`), name)
  const skip = `${linkerd}/skip-outbound-ports`
  t.strictSame(under('linkerd', {}, {}, { [skip]: long }).problems, text(skip), 'of the Namespace')
  t.strictSame(under('istio', { [`${istio}/excludeOutboundPorts`]: '1,'.repeat(8_192) }).problems, [])
})
