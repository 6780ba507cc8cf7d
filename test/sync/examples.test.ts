import t from 'tap'
import { Pki } from '../support/pki.ts'
import { opaque, secretObject, specOf, tls } from './fixture.ts'
import { secretPath, startShop } from './shop.ts'

// What the examples of the Azure provider for `secretObjects` look like (examples/sync-as-kubernetes-secret and the pages sync-with-k8s-secrets,
// ingress-tls, set-env-var and sync-multiple-versions of its website, June 2026), and the Secrets that the CSI driver makes of them.

void t.test('examples: a secret with an alias and a label, beside a key that no Secret contains', async (t) => {
  const spec = (vault: string) =>
    specOf(
      [secretObject('username', 'objectAlias: alias'), ['objectName: a-key', 'objectType: key']],
      [{ ...opaque('credentials', { username: 'alias' }), labels: { environment: 'test' } }],
      vault,
      { usePodIdentity: 'false' },
    )
  const { poll, vault, api, values } = await startShop(t, spec)
  vault.setSecret('username', 'pässword\n')
  t.match(await poll(), { result: 'success', writes: [{ outcome: 'created' }] })
  t.strictSame(values('credentials'), { username: 'pässword\n' })
  t.match(api.objects.get(secretPath('credentials')), { type: 'Opaque', metadata: { labels: { environment: 'test' } } })
})

void t.test(
  'examples: one certificate gives both keys of a TLS Secret, from PEM and from PKCS#12 in the vault',
  async (t) => {
    const spec = (vault: string) =>
      specOf([secretObject('ingress-cert')], [tls('ingress-tls-csi', 'ingress-cert')], vault)
    const { poll, vault, api, values } = await startShop(t, spec)
    const pki = new Pki(t)
    const { key, certificates } = pki.chain('RSA 2048', 2)
    const traditional = pki.openssl('rsa', '-in', pki.file(key), '-traditional').toString()
    const expected = { 'tls.crt': certificates.join(''), 'tls.key': traditional }
    vault.importCertificate('ingress-cert', { value: key + certificates.join('') })
    await poll()
    t.strictSame(values('ingress-tls-csi'), expected)
    t.match(api.objects.get(secretPath('ingress-tls-csi')), { type: 'kubernetes.io/tls' })
    const next = pki.chain('P-256', 2)
    vault.importCertificate('ingress-cert', { value: pki.pkcs12(next).toString('base64') })
    await poll()
    const sec1 = pki.openssl('ec', '-in', pki.file(next.key)).toString()
    t.strictSame(values('ingress-tls-csi'), { 'tls.crt': next.certificates.join(''), 'tls.key': sec1 })
  },
)

void t.test('examples: a registry login that is a secret of the vault', async (t) => {
  const login = '{"auths":{"registry.example":{"auth":"cm9ib3Q6cGFzc3dvcmQ="}}}'
  const spec = (vault: string) =>
    specOf(
      [secretObject('dockerconfigjson')],
      [
        {
          secretName: 'dockerconfig',
          type: 'kubernetes.io/dockerconfigjson',
          data: [{ objectName: 'dockerconfigjson', key: '.dockerconfigjson' }],
        },
      ],
      vault,
    )
  const { poll, vault, api, values } = await startShop(t, spec)
  vault.setSecret('dockerconfigjson', login)
  await poll()
  t.strictSame(values('dockerconfig'), { '.dockerconfigjson': login })
  t.match(api.objects.get(secretPath('dockerconfig')), { type: 'kubernetes.io/dockerconfigjson' })
})

void t.test('examples: one version of several, by its number', async (t) => {
  const spec = (vault: string) =>
    specOf([secretObject('rotated', 'objectVersionHistory: 2')], [opaque('credentials', { now: 'rotated/0' })], vault)
  const { poll, vault, values, pass } = await startShop(t, spec)
  vault.setSecret('rotated', 'one')
  pass(1000)
  vault.setSecret('rotated', 'two')
  await poll()
  t.strictSame(values('credentials'), { now: 'two' })
})

void t.test('examples: what the driver decodes is decoded: base64 in a vault becomes bytes', async (t) => {
  const spec = (vault: string) =>
    specOf([secretObject('binary', 'objectEncoding: base64')], [opaque('credentials', { file: 'binary' })], vault)
  const { poll, vault, api } = await startShop(t, spec)
  vault.setSecret('binary', 'AP8K')
  await poll()
  t.match(api.objects.get(secretPath('credentials')), { data: { file: 'AP8K' } })
})
