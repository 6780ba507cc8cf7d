import { needs } from '../../../support/needs.ts'
import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { readPem } from '../../../../shared/render/certificates.ts'
import { readPkcs12 } from '../../../../shared/render/pkcs12/pkcs12.ts'
import { writePkcs12, writeTruststore } from '../../../../shared/render/pkcs12/write-pkcs12.ts'
import { kinds, Pki, type Kind } from '../../../support/pki.ts'

const pki = new Pki(t)
const hasKeytool = spawnSync('keytool', ['-help']).status === 0

const pem = (certificates: X509Certificate[]) => certificates.map(String)

for (const kind of Object.keys(kinds) as Kind[]) {
  void t.test(`pfx: OpenSSL reads a key of ${kind} with its chain`, async (t) => {
    const chain = pki.chain(kind, 3)
    const container = await writePkcs12(readPem(chain.key + chain.certificates.join('')))
    const file = pki.file(container)
    const read = (...args: string[]) =>
      pki.openssl('pkcs12', '-in', file, '-passin', 'pass:', '-nodes', ...args).toString()
    const { key, certificates } = readPem(read())
    t.strictSame(pem(certificates), chain.certificates)
    t.equal(key?.export({ type: 'pkcs8', format: 'pem' }), chain.key)
    t.strictSame(
      readPem(read('-clcerts', '-nokeys')).certificates.map(String),
      [chain.certificates[0]],
      'the key names its own',
    )
    t.match(
      spawnSync('openssl', ['pkcs12', '-in', file, '-passin', 'pass:', '-info', '-noout']).stderr.toString(),
      /AES-256-CBC[\s\S]*sha256|sha256[\s\S]*AES-256-CBC/i,
    )
    t.not(spawnSync('openssl', ['pkcs12', '-in', file, '-passin', 'pass:x', '-noout']).status, 0, 'the MAC is checked')
    const again = await readPkcs12(container)
    t.strictSame(pem(again.certificates), chain.certificates)
  })
}

void t.test('pfx: the same content yields the same bytes, and other content other bytes', async (t) => {
  const [one, other] = [pki.chain('P-256', 2), pki.chain('P-384', 2)].map(({ key, certificates }) =>
    readPem(key + certificates.join('')),
  ) as [ReturnType<typeof readPem>, ReturnType<typeof readPem>]
  t.strictSame(await writePkcs12(one), await writePkcs12(one))
  t.notOk((await writePkcs12(one)).equals(await writePkcs12(other)))
})

void t.test('pfx: OpenSSL reads certificates without a key', async (t) => {
  const { certificates } = pki.chain('P-256', 2)
  const file = pki.file(await writePkcs12(readPem(certificates.join(''))))
  const printed = pki.openssl('pkcs12', '-in', file, '-passin', 'pass:', '-nodes').toString()
  t.strictSame(pem(readPem(printed).certificates), certificates)
  t.equal(readPem(printed).key, undefined)
})

void t.test('truststore: OpenSSL reads all certificates', async (t) => {
  const { certificates } = pki.chain('P-256', 3)
  const file = pki.file(writeTruststore(readPem(certificates.join('')).certificates))
  const printed = pki.openssl('pkcs12', '-in', file, '-passin', 'pass:', '-nokeys').toString()
  t.strictSame(pem(readPem(printed).certificates), certificates)
  t.match(printed, /friendlyName: ca-1[\s\S]*friendlyName: ca-3/)
})

void t.test('truststore: Java trusts all certificates, with any password', needs('keytool', hasKeytool), async (t) => {
  const { certificates } = pki.chain('P-256', 3)
  const file = pki.file(writeTruststore(readPem(certificates.join('')).certificates))
  const list = (password: string) =>
    execFileSync('keytool', ['-list', '-keystore', file, '-storepass', password], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString()
  t.equal(list('changeit').match(/trustedCertEntry/g)?.length, 3)
  t.match(list('anything'), /3 entries/)
})

void t.test('pfx: Java finds the key with its chain', needs('keytool', hasKeytool), async (t) => {
  const chain = pki.chain('P-256', 3)
  const file = pki.file(await writePkcs12(readPem(chain.key + chain.certificates.join(''))))
  const source = `
    import java.io.*; import java.security.*;
    public class Load {
      public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(new FileInputStream(args[0]), new char[0]);
        String alias = store.aliases().nextElement();
        System.out.println(store.getCertificateChain(alias).length + " " + store.getKey(alias, new char[0]).getAlgorithm());
      }
    }`
  const program = pki.file(source, 'Load.java')
  t.equal(execFileSync('java', [program, file]).toString(), '3 EC\n')
})
