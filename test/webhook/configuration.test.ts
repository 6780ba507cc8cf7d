import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseConfiguration } from '../../webhook/configuration.ts'

void t.test('an empty file has every default', async (t) => {
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

void t.test('a full file', async (t) => {
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
  -----BEGIN CERTIFICATE-----
  -----END CERTIFICATE-----
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

void t.test('every problem has its path', async (t) => {
  const cases: Record<string, string[]> = {
    'tenantID: x': ['unknown field "tenantID" (did you mean "tenantId"?)'],
    'proxy: { httpproxy: x }': ['proxy: unknown field "httpproxy" (did you mean "httpProxy"?)'],
    'clouds: { Lab: { authorityHost: "http://x", vaultSufix: y } }': [
      'clouds.Lab: must have required properties vaultSuffix',
      'clouds.Lab: unknown field "vaultSufix" (did you mean "vaultSuffix"?)',
      'clouds.Lab.authorityHost: must match pattern "^https://"',
    ],
    'missingClientId: ignore': ['missingClientId: expected one of deny, warn'],
    'report: "true"': ['report: must be boolean'],
    'sidecarPort: 80': ['sidecarPort: must be >= 1024'],
    'oldestKubelet: 1.29': ['oldestKubelet: must be string'],
    'fullRefresh: 1d': ['fullRefresh: must match pattern "^(\\d+(\\.\\d+)?(ms|s|m|h))+$"'],
    'cloud: Azure': ['cloud: there is no cloud "Azure"'],
    'vaults: [{ namespaces: [], vaults: ["a b"] }]': ['vaults.0.namespaces: must not have fewer than 1 items'],
    'vaults: [{ namespaces: [a], vaults: ["a b", "https://x/y"] }]': [
      'vaults.0.vaults: "a b" is neither a vault\'s name nor an https:// URL without a path',
      'vaults.0.vaults: "https://x/y" is neither a vault\'s name nor an https:// URL without a path',
    ],
    'annotations: { allowed: [signals], forbidden: [bundle] }': [
      'annotations.allowed: there is no annotation "signals" (did you mean "signal"?)',
      'annotations.forbidden: there is no annotation "bundle" (did you mean "bundle-*"?)',
    ],
    'bounds: { signal: { min: 1s }, splay: { min: soon, max: 1m } }': [
      'bounds: "signal" is no annotation that can be bounded',
      'bounds.splay.min "soon": expected a duration such as 30s, 2m or 1h30m',
    ],
    'bounds: { splay: { min: 2m, max: 1m } }': ['bounds.splay: min is more than max'],
    'bounds: { splay: { mni: 2m } }': ['bounds.splay: unknown field "mni" (did you mean "min"?)'],
    'defaults: { poll-interval: 1s }': ['defaults.poll-interval: the administrator allows no less than 30s'],
    'defaults: { mode: natve, refresh: "1", client-id: x, nothing: x }': [
      'defaults: "refresh" is for pods only',
      'defaults: "client-id" belongs to a ServiceAccount, Namespace or pod; for all of them there is tenantId',
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

void t.test('more than eight problems are told at once', async (t) => {
  const fields = Array.from({ length: 20 }, (_, index) => `unknown${index}: 1`)
  const parsed = parseConfiguration(fields.join('\n'))
  t.equal(parsed.ok ? 0 : parsed.problems.length, 20)
})

void t.test('the clouds of the documentation', async (t) => {
  const text = readFileSync('docs/configuration.md', 'utf8')
  const example = /```yaml\n(clouds:[^`]*)```/.exec(text)?.[1] ?? ''
  const parsed = parseConfiguration(example, () => '-----BEGIN CERTIFICATE-----')
  t.match(parsed, { ok: true, value: { clouds: { Bleu: {}, Delos: {}, AzureStackHub: { verifyChallengeResource: false } } } }) // prettier-ignore
})
