import { readFileSync } from 'node:fs'
import t from 'tap'
import { makeAuthority } from '../../emulator/tls.ts'
import { parseConfiguration } from '../../../webhook/configuration/configuration.ts'

const pem = makeAuthority().ca

void t.test('configuration: an empty file has every default', async (t) => {
  for (const text of ['', '# nothing\n', '{}', 'null']) {
    const parsed = parseConfiguration(text)
    t.match(parsed, {
      ok: true,
      value: {
        cloud: 'AzurePublicCloud',
        defaults: { cloud: 'AzurePublicCloud' },
        bounds: {
          'poll-interval': { min: 30_000, max: 86_400_000 },
          'startup-timeout': { min: 10_000 },
          splay: { min: 0 },
        },
        annotations: {},
        resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
        imagePullSecrets: [],
        missingClientId: 'deny',
        sidecarPort: 20471,
        volumeSizeLimit: '16Mi',
        report: false,
        fullRefresh: 3_600_000,
        expiryHorizon: 14 * 24 * 3_600_000,
      },
    })
    if (parsed.ok) {
      t.ok(parsed.value.knownSidecars.includes('istio-proxy'))
      t.throws(() => Object.assign(parsed.value.bounds, { splay: undefined }), /read only|not extensible|Cannot assign/)
    }
  }
})

void t.test('configuration: a file with every field is read', async (t) => {
  const parsed = parseConfiguration(`
tenantId: 22222222-2222-2222-2222-222222222222
cloud: Lab
clouds:
  Lab: { authorityHost: https://login.lab, vaultSuffix: vault.lab, verifyChallengeResource: false }
defaults: { vault: house-kv, poll-interval: 5m, on-delete: delete }
bounds:
  poll-interval: { min: 1m }
  limit-memory: { max: 1Gi }
annotations: { forbidden: [signal-permission, template-*] }
knownSidecars: [proxy]
vaults:
  - { namespaces: [team-*], vaults: [team-*, 'https://*.vault.example'] }
resources: { requests: { cpu: 5m }, limits: { ephemeral-storage: 64Mi } }
image: registry.example/akv-injector:1
imagePullPolicy: IfNotPresent
imagePullSecrets: [registry]
proxy: { httpsProxy: http://proxy:3128 }
caCertificates: |
${pem.trim().replace(/^/gm, '  ')}
missingClientId: warn
sidecarPort: 20500
volumeSizeLimit: 32Mi
oldestKubelet: v1.28
report: true
fullRefresh: 30m
expiryHorizon: 48h
`)
  t.match(parsed, {
    ok: true,
    value: {
      defaults: { cloud: 'Lab', vault: 'house-kv', 'poll-interval': 300_000, 'on-delete': 'delete' },
      bounds: { 'poll-interval': { min: 60_000, max: 86_400_000 }, 'limit-memory': { min: 0, max: 2 ** 30 } },
      resources: { requests: { cpu: '5m', memory: '48Mi' }, limits: { 'ephemeral-storage': '64Mi', cpu: '250m' } },
      fullRefresh: 1_800_000,
      expiryHorizon: 172_800_000,
    },
  })
})

void t.test('configuration: every problem names its path', async (t) => {
  const cases: Record<string, string[]> = {
    'tenantID: x': ['unknown field "tenantID" (did you mean "tenantId"?)'],
    'proxy: { httpproxy: x }': ['proxy: unknown field "httpproxy" (did you mean "httpProxy"?)'],
    'clouds: { Lab: { authorityHost: "http://x", vaultSufix: y } }': [
      'clouds.Lab: must have required properties vaultSuffix',
      'clouds.Lab: unknown field "vaultSufix" (did you mean "vaultSuffix"?)',
      'clouds.Lab.authorityHost "http://x": expected an https:// URL such as https://login.microsoftonline.com',
    ],
    'missingClientId: ignore': ['missingClientId: expected one of deny, warn'],
    'report: "true"': ['report: must be boolean'],
    'sidecarPort: 80': ['sidecarPort: must be >= 1024'],
    'oldestKubelet: 1.29': ['oldestKubelet: must be string'],
    'fullRefresh: 1d': ['fullRefresh "1d": expected a duration such as 30s, 2m or 1h30m'],
    'cloud: Azure': ['cloud: there is no cloud "Azure"'],
    'vaults: [{ namespaces: [], vaults: ["a-b"] }]': ['vaults.0.namespaces: must not have fewer than 1 items'],
    'vaults: [{ namespaces: [a], vaults: ["a b", "https://x/y"] }]': [
      'vaults.0.vaults.0 "a b": expected the name of a vault or an https:// URL without a path, `*` matches any characters except a dot',
      'vaults.0.vaults.1 "https://x/y": expected the name of a vault or an https:// URL without a path, `*` matches any characters except a dot',
    ],
    'annotations: { allowed: [signals], forbidden: [bundle] }': [
      'annotations.allowed: there is no annotation "signals" (did you mean "signal"?)',
      'annotations.forbidden: there is no annotation "bundle" (did you mean "bundle-*"?)',
    ],
    'bounds: { signal: { min: 1s }, splay: { min: soon, max: 1m } }': [
      'bounds: "signal" is not an annotation with a duration or a quantity',
      'bounds.splay.min "soon": expected a duration such as 30s, 2m or 1h30m',
    ],
    'bounds: { splay: { min: 2m, max: 1m } }': ['bounds.splay: min is more than max'],
    'bounds: { splay: { mni: 2m } }': ['bounds.splay: unknown field "mni" (did you mean "min"?)'],
    'defaults: { poll-interval: 1s }': ['defaults.poll-interval: the administrator allows no less than 30s'],
    'defaults: { mode: natve, refresh: "1", client-id: x, nothing: x }': [
      'defaults: "refresh" is only allowed on pods',
      'defaults: "client-id" belongs on a ServiceAccount, Namespace or pod; use tenantId as a default for all of them',
      'defaults: annotation mode "natve": expected one of auto, native, classic, once (did you mean "native"?)',
      'defaults: annotation nothing "x": there is no such annotation',
    ],
    'defaults: { cloud: Moon }': ['defaults.cloud: there is no cloud "Moon"'],
    'resources: { requests: { memory: 1Gi } }': ['resources.requests.memory: 1Gi is more than the limit of 128Mi'],
    'resources: { limits: { gpu: "1" } }': ['resources.limits: unknown field "gpu" (did you mean "cpu"?)'],
    'a: b: c': ['not valid YAML: Nested mappings are not allowed in compact mappings at line 1, column 4:'],
    '- a': ['must be object'],
  }
  for (const [text, problems] of Object.entries(cases)) {
    const parsed = parseConfiguration(text)
    t.strictSame(parsed.ok ? [] : parsed.problems.toSorted(), problems.toSorted(), text)
  }
})

void t.test('configuration: more than eight problems are reported at once', async (t) => {
  const fields = Array.from({ length: 20 }, (_, index) => `unknown${index}: 1`)
  const parsed = parseConfiguration(fields.join('\n'))
  t.equal(parsed.ok ? 0 : parsed.problems.length, 20)
})

void t.test('configuration: the clouds of the documentation are valid', async (t) => {
  const text = readFileSync('docs/configuration.md', 'utf8')
  const example = /```yaml\n(clouds:[^`]*)```/.exec(text)?.[1] ?? ''
  const parsed = parseConfiguration(example, () => pem)
  t.match(parsed, {
    ok: true,
    value: { clouds: { Bleu: {}, Delos: {}, AzureStackHub: { verifyChallengeResource: false } } },
  })
})

void t.test('configuration: a text with a grammar is rejected with its path and what was expected', async (t) => {
  const refused: Record<string, [path: string, expected: RegExp]> = {
    'tenantId: contoso corp': ['tenantId', /the ID or the domain of a tenant/],
    'clouds: { L: { authorityHost: "https://login?x", vaultSuffix: v } }': [
      'clouds.L.authorityHost',
      /an https:\/\/ URL/,
    ],
    'clouds: { L: { authorityHost: "login.lab", vaultSuffix: v } }': ['clouds.L.authorityHost', /an https:\/\/ URL/],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: ".vault.lab" } }': [
      'clouds.L.vaultSuffix',
      /what follows/,
    ],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: "https://v" } }': ['clouds.L.vaultSuffix', /what follows/],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: v, apiVersion: latest } }': [
      'clouds.L.apiVersion',
      /a version/,
    ],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: v, tokenAudience: "a b" } }': [
      'clouds.L.tokenAudience',
      /an audience/,
    ],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: v, caCertificates: x } }': [
      'clouds.L.caCertificates',
      /no PEM/,
    ],
    'clouds: { L: { authorityHost: "https://l", vaultSuffix: v, caCertificatesFile: ca.crt } }': [
      'clouds.L.caCertificatesFile',
      /an absolute path|ENOENT|no PEM/,
    ],
    'knownSidecars: [Proxy_1]': ['knownSidecars.0', /the name of a container/],
    'vaults: [{ namespaces: [Team_A], vaults: [a-b] }]': ['vaults.0.namespaces.0', /the name of a namespace/],
    'vaults: [{ namespaces: [a], vaults: ["https://user@x"] }]': ['vaults.0.vaults.0', /the name of a vault/],
    'resources: { limits: { cpu: 250Mi } }': ['resources.limits.cpu', /a quantity of CPUs/],
    'resources: { limits: { memory: 128m } }': ['resources.', /a quantity of bytes/],
    'resources: { requests: { ephemeral-storage: "0" } }': ['resources.requests.ephemeral-storage', /above zero/],
    'image: https://images.example/akv': ['image', /an image reference/],
    'image: registry.example/Akv Injector': ['image', /an image reference/],
    'image: "registry.example/akv:"': ['image', /an image reference/],
    'imagePullSecrets: [My_Secret]': ['imagePullSecrets.0', /the name of a Secret/],
    'proxy: { httpsProxy: "egress.corp:3128" }': ['proxy.httpsProxy', /a URL .*http:\/\//],
    'proxy: { httpProxy: "socks5://egress:1080" }': ['proxy.httpProxy', /a URL .*http:\/\//],
    'proxy: { httpProxy: "http://" }': ['proxy.httpProxy', /a URL .*http:\/\//],
    'proxy: { noProxy: "https://a.example" }': ['proxy.noProxy', /expected hosts/],
    'proxy: { noProxy: "10.0.0.0/33" }': ['proxy.noProxy', /expected hosts/],
    'caCertificates: "-----BEGIN CERTIFICATE-----\\nx\\n-----END CERTIFICATE-----"': ['caCertificates', /./],
    'volumeSizeLimit: 0Mi': ['volumeSizeLimit', /above zero/],
    'volumeSizeLimit: 16MB': ['volumeSizeLimit', /a quantity/],
    'oldestKubelet: 1.29x': ['oldestKubelet', /a version of Kubernetes/],
    'fullRefresh: 0s': ['fullRefresh', /a duration above zero/],
    'expiryHorizon: "0"': ['expiryHorizon', /a duration above zero/],
    'bounds: { poll-interval: { min: 0s } }': ['bounds.poll-interval.min', /a duration above zero/],
    'bounds: { limit-memory: { max: 1GB } }': ['bounds.limit-memory.max', /a quantity/],
    'defaults: { vault: no_name }': ['defaults.vault', /the name of a vault/],
    'defaults: { run-as-user: root }': ['defaults', /run-as-user "root": expected a numeric id/],
  }
  for (const [text, [path, expected]] of Object.entries(refused)) {
    const parsed = parseConfiguration(text)
    const problems = parsed.ok ? [] : parsed.problems
    t.ok(
      problems.length >= 1 && problems.every((problem) => problem.startsWith(path)),
      `${text}: ${problems.join('; ')}`,
    )
    t.match(problems[0], expected, text)
  }
  const secret = parseConfiguration('proxy: { httpProxy: "ftp://user:hunter2@x" }')
  t.notMatch(JSON.stringify(secret), /hunter2/, 'a password of a proxy is not repeated')
})

void t.test('configuration: texts in every common form are accepted', async (t) => {
  const taken = [
    'tenantId: contoso.onmicrosoft.com',
    'image: akv-injector',
    'image: localhost:5000/team/akv_injector--x:v1.2.3',
    `image: registry.example/akv-injector:1@sha256:${'0'.repeat(64)}`,
    'proxy: { httpProxy: "http://user:word@proxy.example:3128/", httpsProxy: "https://proxy", noProxy: "*, .svc 10.0.0.0/8,[::1]:80" }',
    'clouds: { L: { authorityHost: "https://adfs.local.example/adfs/", vaultSuffix: "vault.lab:8443", apiVersion: 2016-10-01, tokenAudience: "api://AzureADTokenExchangeUSGov" } }',
    'oldestKubelet: v1.28.4-gke.100',
    'bounds: { poll-interval: { min: 1s }, splay: { min: 0s } }',
    'resources: { limits: { cpu: "0.5", memory: 1.5Gi } }',
  ]
  for (const text of taken) t.match(parseConfiguration(text), { ok: true }, text)
})
