import t from 'tap'
import { entryPath } from '../../../webhook/request/entry-paths.ts'

void t.test('entry paths: an unknown entry has no path, whatever its name', async (t) => {
  const mutating = 'MutatingWebhookConfiguration'
  t.equal(entryPath(mutating, 'inject.azure.keyvault.injector'), '/mutate')
  for (const name of ['guard.azure.keyvault.injector', 'constructor.azure.keyvault.injector', 'toString', '', '.'])
    t.equal(entryPath(mutating, name), undefined, name)
  t.equal(entryPath('ValidatingWebhookConfiguration', 'guard.azure.keyvault.injector'), '/guard')
  t.equal(entryPath('Deployment', 'inject.azure.keyvault.injector'), undefined)
})
