import t from 'tap'
import { decide } from '../../support/decide.ts'
import { annotated } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'

const government = 'api://AzureADTokenExchangeUSGov'
const configuration = configurationOf({
  clouds: {
    Own: { authorityHost: 'https://login.example', vaultSuffix: 'vault.example', tokenAudience: government },
    Same: { authorityHost: 'https://login.same', vaultSuffix: 'vault.same', tokenAudience: government },
  },
})
const classOf = (cloudName: string) => ({
  spec: {
    provider: 'azure',
    parameters: {
      keyvaultName: 'my-kv',
      cloudName,
      objects: `array:\n  - |\n    objectName: of-${cloudName}\n    objectType: secret`,
    },
  },
})
const secretProviderClasses = new Map([
  ['own', classOf('Own')],
  ['same', classOf('Same')],
  ['public', classOf('AzurePublicCloud')],
])

/** The tokens in the sidecar's volume, and the file that each identity signs in with. */
function tokensOf(annotations: Record<string, string>) {
  const decision = decide(annotated(annotations), planInputs({ configuration, secretProviderClasses }))
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  const volume = decision.pod.spec.volumes?.find(({ name }) => name === 'akv-injector-token')
  const { sources = [] } = (volume?.projected ?? {}) as {
    sources?: { serviceAccountToken: { audience: string; path: string } }[]
  }
  return {
    tokens: sources.map(({ serviceAccountToken: { audience, path } }) => `${path}: ${audience}`),
    files: decision.settings.identities.map(({ cloud, tokenFile }) => `${cloud}: ${tokenFile ?? 'token'}`),
  }
}

void t.test('token audience: the projected token has the audience of its cloud', async (t) => {
  const usual = 'api://AzureADTokenExchange'
  t.strictSame(tokensOf({}), { tokens: [`token: ${usual}`], files: ['AzurePublicCloud: token'] })
  t.strictSame(tokensOf({ cloud: 'Own' }), { tokens: [`token: ${government}`], files: ['Own: token'] })
  t.strictSame(tokensOf({ 'secret-provider-class': 'own, same' }), {
    tokens: [`token: ${usual}`, `token-1: ${government}`],
    files: ['AzurePublicCloud: token', 'Own: token-1', 'Same: token-1'],
  })
  t.strictSame(tokensOf({ cloud: 'Own', 'secret-provider-class': 'public, same' }), {
    tokens: [`token: ${government}`, `token-1: ${usual}`],
    files: ['Own: token', 'AzurePublicCloud: token-1', 'Same: token'],
  })
})
