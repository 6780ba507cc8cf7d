import t from 'tap'
import type { FoundClass } from '../../../../webhook/plan/secret-provider-class/found-class.ts'
import { classOf, file, filesOf, here, object, one, password, settingsOf, told, usual } from './fixture.ts'

const warned: Record<string, [FoundClass, ...string[]]> = {
  secretObjects: [
    classOf(
      {},
      { secretObjects: [{ secretName: 's', type: 'Opaque', data: [{ objectName: 'db-password', key: 'k' }] }] },
    ),
    `${here}secretObjects is ignored for pods; akv-injector-sync writes Secrets for classes with sync-as`,
  ],
  'an empty list of them': [classOf({}, { secretObjects: [] })],
  'an unknown field of the spec': [classOf({}, { extra: {} }), `${here}unknown field spec.extra is ignored`],
  'an unknown parameter': [classOf({ resourceGroup: 'rg' }), `${here}unknown parameter "resourceGroup" is ignored`],
  'a parameter in other case': [
    classOf({ keyVaultName: 'x' }),
    `${here}unknown parameter "keyVaultName" is ignored (did you mean "keyvaultName"?)`,
  ],
  'an unknown field of an object': [
    classOf(one(...password, 'objectAlais: x')),
    `${object}unknown field "objectAlais" is ignored (did you mean "objectAlias"?)`,
  ],
  'an unknown field beside the array': [
    classOf({ objects: `${usual.objects}\nmore: x` }),
    `${here}objects: unknown field "more" is ignored`,
  ],
  'an identity of the node that is not used': [
    classOf({ useVMManagedIdentity: 'false', userAssignedIdentityID: 'x' }),
    `${here}userAssignedIdentityID is ignored: pods sign in as clientID`,
  ],
  'a file that describes a cloud': [
    classOf({ cloudEnvFileName: '/x' }),
    `${here}cloudEnvFileName is ignored: the administrator's configuration describes clouds`,
  ],
  'what the documentation leaves empty': [
    classOf({ usePodIdentity: 'false', useVMManagedIdentity: 'False', userAssignedIdentityID: '', cloudName: '' }),
  ],
}

for (const [name, [found, ...warnings]] of Object.entries(warned)) {
  void t.test(`SecretProviderClass: warned, ${name}`, async (t) => {
    t.strictSame(told({ kv: found }), { problems: [], warnings })
    t.ok(warnings.every(({ length }) => length <= 120))
    t.strictSame(await filesOf(settingsOf({ kv: found })), { 'db-password': file('pässword\n') })
  })
}
