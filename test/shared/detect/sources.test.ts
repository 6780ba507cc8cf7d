import t from 'tap'
import { isFixed, sourcesOf } from '../../../shared/detect/sources.ts'
import { objectOf } from '../../support/settings.ts'

void t.test('sources: objects of one vault object share a source', async (t) => {
  const sources = sourcesOf([
    objectOf('web-tls', { path: 'tls.pem', optional: true }),
    objectOf('Web-TLS', { path: 'tls.pfx', format: 'pfx' }),
    objectOf('cert/web-tls'),
    objectOf('web-tls@v1'),
    objectOf('web-tls', { history: 2 }),
    objectOf('other:web-tls'),
    objectOf('web-tls', { identity: 1 }),
    objectOf('web-tls', { path: 'user', property: 'user' }),
    objectOf('web-tls', { path: 'password', property: 'password' }),
  ])
  t.strictSame(
    sources.map(({ objects }) => objects),
    [[0, 1, 7, 8], [2], [3], [4], [5], [6]],
  )
  t.equal(new Set(sources.map(({ key }) => key)).size, sources.length, 'keys tell them apart')
  t.equal(sources[0]?.optional, false, 'one of them is required')
  t.equal(sourcesOf([objectOf('a', { optional: true })])[0]?.optional, true)
  t.equal(sources[0]?.name, 'web-tls', "the configuration's spelling")
})

void t.test('sources: only a pinned version without history never changes', async (t) => {
  const fixed = [objectOf('a@v1'), objectOf('a'), objectOf('a@v1', { history: 2 })].map((object) =>
    sourcesOf([object]).every(isFixed),
  )
  t.strictSame(fixed, [true, false, false])
})
