import t from 'tap'
import { json, page, secretBody } from '../../../support/scripted-server.ts'
import { failure, never } from '../fixture.ts'
import { scripted } from './scripted.ts'

void t.test('wire policy: a redirect is not followed, and no token is sent', async (t) => {
  const other = await scripted(t, (_request, response) => json(response, secretBody('other')))
  for (const status of [301, 302, 307, 308]) {
    const server = await scripted(t, (_request, response) => {
      response.writeHead(status, { Location: `${other.url}/secrets/db-password` }).end()
    })
    const failed = await failure(server.open().get('secret', 'db-password', undefined, never))
    t.match(failed, {
      kind: 'malformed',
      status,
      message: new RegExp(`a redirect to ${other.url}, which is not followed`),
    })
  }
  t.equal(other.requests.length + other.challenges(), 0)
  const same = await scripted(t, (request, response) => {
    if (request.url?.includes('here')) json(response, secretBody('x'))
    else response.writeHead(302, { Location: '/secrets/here' }).end()
  })
  t.match(await failure(same.open().get('secret', 'db-password', undefined, never)), { kind: 'malformed', status: 302 })
  t.equal(same.requests.length, 1, 'nor one to the vault itself: Key Vault has none')
})

void t.test('wire policy: a link to the next page is followed only within the vault and collection', async (t) => {
  const other = await scripted(t, (_request, response) => json(response, page(['stolen'])))
  const refused: [name: string, link: (url: string) => string, message: RegExp][] = [
    [
      'of another host',
      () => `${other.url}/secrets?page=2`,
      /the vault's answer has a link that is not followed: it leads to https:/,
    ],
    ['of another scheme', (url) => `${url.replace('https', 'http')}/secrets?page=2`, /it leads to http:/],
    ['of another collection', (url) => `${url}/keys?page=2`, /another collection/],
    ['of a collection that begins alike', (url) => `${url}/secretsandmore?page=2`, /another collection/],
    ['out of the collection', (url) => `${url}/secrets/../keys?page=2`, /another collection/],
    ['of the same page', (url) => `${url}/secrets?page=1`, /was there before/],
    [
      'with credentials before another host',
      (url) => url.replace('https://localhost', 'https://localhost@127.0.0.1') + '/secrets',
      /127\.0\.0\.1/,
    ],
  ]
  for (const [name, link, message] of refused) {
    const server = await scripted(t, (request, response) => {
      const first = !(request.url ?? '').includes('page=')
      json(response, page(['s1'], first ? `${server.url}/secrets?page=1` : link(server.url)))
    })
    const failed = await failure(server.open().list('secret', never))
    t.match(failed, { kind: 'malformed', code: 'NextLinkRefused', message }, name)
    t.equal(server.requests.length, 2)
  }
  t.equal(other.requests.length + other.challenges(), 0, 'no other server got a request')

  const followed: [name: string, pages: (url: string) => unknown[]][] = [
    ['absolute', (url) => [page(['s1'], `${url}/secrets?page=2`), page(['s2'])]],
    ['relative', () => [page(['s1'], '/secrets?page=2'), page(['s2'], null)]],
    [
      'in other case',
      (url) => [page(['s1'], `${url.replace('localhost', 'LOCALHOST')}/Secrets?page=2`), page(['S2'], '')],
    ],
    ['on an empty page', (url) => [page([], `${url}/secrets?page=2`), page(['s1', 's2'])]],
  ]
  for (const [name, pages] of followed) {
    const server = await scripted(t, (_request, response, count) => json(response, pages(server.url)[count - 1]))
    const { items, pages: count } = await server.open().list('secret', never)
    t.strictSame([...items.keys()], ['s1', 's2'], name)
    t.equal(count, 2)
  }
})

void t.test('wire policy: at most 40 pages are read', async (t) => {
  let last = 40
  const server = await scripted(t, (request, response) => {
    const here = Number(new URL(request.url!, server.url).searchParams.get('page') ?? 1)
    json(response, page([`s${here}`], here < last ? `${server.url}/secrets?page=${here + 1}` : null))
  })
  const vault = server.open()
  t.match(await vault.list('secret', never), { pages: 40 })
  last = 41
  t.match(await failure(vault.list('secret', never)), { kind: 'malformed', code: 'TooManyPages' })
})

void t.test('wire policy: a link between versions is followed only within the object', async (t) => {
  const server = await scripted(t, (request, response) =>
    json(response, page(['a/1'], request.url!.includes('/A/') ? `${server.url}/secrets/b/versions?page=2` : null)),
  )
  t.match(await failure(server.open().versions('secret', 'A', never)), { code: 'NextLinkRefused' })
})
