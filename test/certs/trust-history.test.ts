import t from 'tap'
import { observe, trustedSince, type LiveConfiguration, type TrustHistory } from '../../certs/trust-history.ts'

/** One look: when, and per configuration its generation, uid and the authorities in each of its webhooks. */
type Look = [at: number, ...configurations: { generation?: number; uid?: string; webhooks: string[][] }[]]

const configuration = (
  { generation = 1, uid = 'one', webhooks }: { generation?: number; uid?: string; webhooks: string[][] },
  number: number,
) =>
  ({
    id: `configuration ${number}`,
    uid,
    generation,
    webhooks: webhooks.map((ids, webhook) => ({
      name: `webhook ${webhook}`,
      authorities: ids.map((id) => ({ id, pem: '', notBefore: 0, notAfter: 0 })),
      segment: undefined,
      path: '/mutate',
    })),
  }) satisfies LiveConfiguration

const cases: { name: string; looks: Look[]; since: number | undefined }[] = [
  { name: 'never looked', looks: [], since: undefined },
  { name: 'no configuration', looks: [[1]], since: undefined },
  { name: 'seen once', looks: [[1, { webhooks: [['a']] }]], since: 1 },
  {
    name: 'seen twice: the first time counts',
    looks: [
      [1, { webhooks: [['a']] }],
      [5, { webhooks: [['a']] }],
    ],
    since: 1,
  },
  { name: 'missing in one webhook', looks: [[1, { webhooks: [['a'], ['b']] }]], since: undefined },
  {
    name: 'missing in one configuration',
    looks: [[1, { webhooks: [['a']] }, { webhooks: [['b']] }]],
    since: undefined,
  },
  {
    name: 'the configuration that was last counts',
    looks: [
      [1, { webhooks: [['a']] }, { webhooks: [[]] }],
      [4, { webhooks: [['a']] }, { webhooks: [['a']], generation: 2 }],
      [9, { webhooks: [['a']] }, { webhooks: [['a']], generation: 2 }],
    ],
    since: 4,
  },
  {
    name: 'gone in between',
    looks: [
      [1, { webhooks: [['a']] }],
      [2, { webhooks: [[]], generation: 2 }],
      [3, { webhooks: [['a']], generation: 3 }],
    ],
    since: 3,
  },
  {
    name: 'changed once: there was nothing in between',
    looks: [
      [1, { webhooks: [['a']] }],
      [3, { webhooks: [['a', 'b']], generation: 2 }],
    ],
    since: 1,
  },
  {
    name: 'changed twice unseen: it may have been gone',
    looks: [
      [1, { webhooks: [['a']] }],
      [3, { webhooks: [['a']], generation: 3 }],
    ],
    since: 3,
  },
  {
    name: 'created again',
    looks: [
      [1, { webhooks: [['a']] }],
      [3, { webhooks: [['a']], uid: 'two' }],
    ],
    since: 3,
  },
  {
    name: 'a configuration that appears later counts too',
    looks: [
      [1, { webhooks: [['a']] }],
      [3, { webhooks: [['a']] }, { webhooks: [['a']] }],
    ],
    since: 3,
  },
]

void t.test('trust history: an authority is trusted from the time that every configuration contains it', async (t) => {
  for (const { name, looks, since } of cases) {
    const history = looks.reduce<TrustHistory>(
      (before, [at, ...live]) => observe(before, live.map(configuration), at),
      new Map(),
    )
    t.equal(trustedSince(history, 'a'), since, name)
  }
})
