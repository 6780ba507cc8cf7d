import t from 'tap'
import { readNoProxy } from '../../shared/no-proxy.ts'

void t.test('NO_PROXY: hosts that curl and Go reach directly are reached directly', async (t) => {
  const cases: [noProxy: string, host: string, bypassed: boolean, port?: string][] = [
    ['vault.azure.net', 'my-kv.vault.azure.net', true],
    ['vault.azure.net', 'vault.azure.net', true],
    ['vault.azure.net', 'my-kv.VAULT.azure.net', true],
    ['Vault.Azure.Net', 'my-kv.vault.azure.net', true],
    ['vault.azure.net.', 'my-kv.vault.azure.net', true],
    ['vault.azure.net', 'my-kv.vault.azure.net.', true],
    ['vault.azure.net', 'evilvault.azure.net', false],
    ['vault.azure.net', 'vault.azure.net.evil', false],
    ['vault.azure.net', 'azure.net', false],
    ['.vault.azure.net', 'my-kv.vault.azure.net', true],
    ['.vault.azure.net', 'myvault.azure.net', false],
    ['*.vault.azure.net', 'my-kv.vault.azure.net', true],
    ['net', 'my-kv.vault.azure.net', true],
    ['a.example, vault.azure.net', 'my-kv.vault.azure.net', true],
    ['a.example  vault.azure.net\n', 'my-kv.vault.azure.net', true],
    [',,', 'my-kv.vault.azure.net', false],
    ['', 'my-kv.vault.azure.net', false],
    ['*', 'my-kv.vault.azure.net', true],
    ['a.example,*', '10.0.0.1', true],
    ['vault.azure.net:443', 'my-kv.vault.azure.net', true],
    ['vault.azure.net:8443', 'my-kv.vault.azure.net', false],
    ['vault.azure.net:8443', 'my-kv.vault.azure.net', true, '8443'],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.10', false],
    ['10.0.0.1:8443', '10.0.0.1', false],
    ['10.0.0.0/8', '10.200.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '10.example', false],
    ['fd00::/8', '[fd00::1]', true],
    ['::1', '::1', true],
    ['[::1]:443', '[::1]', true],
    ['[::1]:80', '[::1]', false],
    ['0.0.0.1', 'x.0.0.0.1', false],
  ]
  for (const [noProxy, host, bypassed, port = '443'] of cases) {
    t.equal(readNoProxy(noProxy).bypasses(host, port), bypassed, `${JSON.stringify(noProxy)}: ${host}:${port}`)
  }
})

void t.test('NO_PROXY: an entry that is not valid is named', async (t) => {
  t.strictSame(readNoProxy('https://a.example,10.0.0.0/33,a.example/x,b.example,a:b,fd00::/129,/8').unknown, [
    'https://a.example',
    '10.0.0.0/33',
    'a.example/x',
    'a:b',
    'fd00::/129',
    '/8',
  ])
  t.strictSame(readNoProxy('localhost,127.0.0.1,.svc,.cluster.local,10.0.0.0/8,a_b.example,*').unknown, [])
})
