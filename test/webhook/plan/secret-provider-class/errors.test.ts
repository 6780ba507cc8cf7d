import t from 'tap'
import type { FoundClass } from '../../../../webhook/plan/secret-provider-class/found-class.ts'
import { array, classOf, clientOfClass, here, object, one, password, told, usual } from './fixture.ts'

const known = 'known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud'

/** Of each: the problems, in order. */
const bad: Record<string, [FoundClass, ...string[]]> = {
  'another provider': [
    classOf({}, { provider: 'vault' }),
    `${here}spec.provider is "vault", and only "azure" keeps its secrets in Azure Key Vault`,
  ],
  'no provider': [
    { spec: { parameters: usual } },
    `${here}spec.provider is not set, and only "azure" keeps its secrets in Azure Key Vault`,
  ],
  'no spec': [
    { spec: undefined },
    `${here}spec.provider is not set, and only "azure" keeps its secrets in Azure Key Vault`,
  ],
  'no parameters': [{ spec: { provider: 'azure' } }, `${here}keyvaultName is required`, `${here}objects is required`],
  'no vault': [classOf({ keyvaultName: undefined }), `${here}keyvaultName is required`],
  'a vault of blanks': [classOf({ keyvaultName: '  ' }), `${here}keyvaultName is required`],
  'a vault of a URL': [
    classOf({ keyvaultName: 'https://my-kv.vault.azure.net' }),
    `${here}keyvaultName "https://my-kv.vault.azure.net": expected the name of a vault, 3 to 24 letters, digits and dashes`,
  ],
  'a vault of two letters': [
    classOf({ keyvaultName: 'kv' }),
    `${here}keyvaultName "kv": expected the name of a vault, 3 to 24 letters, digits and dashes`,
  ],
  'a placeholder for a client id': [
    classOf({ clientID: '<client-id>' }),
    `${here}clientID "<client-id>": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
  ],
  'a placeholder for a tenant': [
    classOf({ tenantID: '$TENANT' }),
    `${here}tenantID "$TENANT": expected the ID or the domain of a tenant`,
  ],
  'a wrong tenant in the older spelling': [
    classOf({ tenantID: undefined, tenantId: '?' }),
    `${here}tenantId "?": expected the ID or the domain of a tenant`,
  ],
  'AD FS in a public cloud': [
    classOf({ tenantID: 'adfs' }),
    `${here}the tenant "adfs" belongs to Azure Stack Hub with AD FS, which https://login.microsoftonline.com does not have: set the annotation cloud to the one that the administrator's configuration has for it`,
  ],
  'pod identity': [
    classOf({ usePodIdentity: 'true' }),
    `${here}usePodIdentity: AAD Pod Identity is not supported: remove the parameter and set clientID to sign in with workload identity`,
  ],
  "the node's identity": [
    classOf({ useVMManagedIdentity: 'true', userAssignedIdentityID: clientOfClass, clientID: undefined }),
    `${here}useVMManagedIdentity: the node's identity is not allowed, because every pod on the node has it: remove the parameter and set clientID to sign in with workload identity, or have the administrator set allowNodeIdentity`,
  ],
  'two ways to sign in': [
    classOf({ useVMManagedIdentity: 'true', useAzureTokenProxy: 'true' }),
    `${here}useVMManagedIdentity and useAzureTokenProxy exclude each other, because the former signs in as the node and the latter as the pod: remove one of them`,
  ],
  "a name for the node's identity": [
    classOf({ useVMManagedIdentity: 'true', userAssignedIdentityID: '/subscriptions/x' }),
    `${here}userAssignedIdentityID "/subscriptions/x": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
    `${here}useVMManagedIdentity: the node's identity is not allowed, because every pod on the node has it: remove the parameter and set clientID to sign in with workload identity, or have the administrator set allowNodeIdentity`,
  ],
  'a switch that is neither': [
    classOf({ usePodIdentity: 'yes' }),
    `${here}usePodIdentity "yes": expected "true" or "false"`,
  ],
  'a token proxy without a binding': [
    classOf({ useAzureTokenProxy: 'true' }),
    `${here}useAzureTokenProxy needs an identity binding: set the pod's annotation azure.workload.identity/use-identity-binding to "true", or remove the parameter`,
  ],
  'the German cloud': [
    classOf({ cloudName: 'AzureGermanCloud' }),
    `${here}cloudName "AzureGermanCloud": this cloud was closed in 2021: use the public one`,
  ],
  'a cloud of a file': [
    classOf({ cloudName: 'AzureStackCloud', cloudEnvFileName: '/etc/kubernetes/akscustom.json' }),
    `${here}cloudName "AzureStackCloud": cloudEnvFileName is not read: have the administrator describe the cloud under clouds in the injector's configuration, and name it here; ${known}`,
  ],
  'an unknown cloud': [
    classOf({ cloudName: 'AzurePublicClout' }),
    `${here}cloudName "AzurePublicClout": there is no such cloud (did you mean "AzurePublicCloud"?); ${known}`,
  ],
  'no objects': [classOf({ objects: undefined }), `${here}objects is required`],
  'objects of blanks': [classOf({ objects: ' \n ' }), `${here}objects is required`],
  'an empty array': [
    classOf({ objects: 'array: []' }),
    `${here}objects: the array is empty: list at least one object in it`,
  ],
  'an array without a list': [
    classOf({ objects: 'array:\n' }),
    `${here}objects: the array is empty: list at least one object in it`,
  ],
  'an array of more objects than a pod may have': [
    classOf({ objects: `array: [${'a,'.repeat(501)}]` }),
    `${here}objects: 501 are more than a pod may have, 500: split the class`,
  ],
  'a placeholder for a client id beside another problem': [
    classOf({ clientID: '<client-id>', cloudName: 'Moon' }),
    `${here}clientID "<client-id>": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
    `${here}cloudName "Moon": there is no such cloud; known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud`,
  ],
  'objects without array': [
    classOf({ objects: '- |\n  objectName: a' }),
    `${here}objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")`,
  ],
  'an array that is none': [
    classOf({ objects: 'array: x' }),
    `${here}objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")`,
  ],
  'an array of maps': [
    classOf({ objects: 'array:\n  - objectName: a\n    objectType: secret' }),
    `${here}object 1: expected a text; begin the entry with "- |"`,
  ],
  'an empty entry': [classOf({ objects: 'array:\n  -\n' }), `${here}object 1: expected the text of an object's fields`],
  'an entry of one word': [
    classOf(one('db-password')),
    `${here}object 1: expected fields such as objectName and objectType`,
  ],
  'an entry that is not YAML': [
    classOf(one('objectName: [')),
    `${here}object 1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]`,
  ],
  'no name': [classOf(one('objectType: secret')), `${here}object 1: objectName is required`],
  'a name with a dot': [
    classOf(one('objectName: db.password', 'objectType: secret')),
    `${here}object 1 ("db.password"): objectName "db.password": expected 1 to 127 letters, digits and dashes`,
  ],
  'no type': [classOf(one('objectName: db-password')), `${object}objectType is required: secret, key or cert`],
  'a type of nothing': [
    classOf(one('objectName: db-password', 'objectType:')),
    `${object}objectType is required: secret, key or cert`,
  ],
  'a wrong type': [
    classOf(one('objectName: db-password', 'objectType: certificate')),
    `${object}objectType "certificate": expected one of secret, key, cert (did you mean "cert"?)`,
  ],
  'a wrong format': [
    classOf(one(...password, 'objectFormat: pk12')),
    `${object}objectFormat "pk12": expected one of pem, pfx`,
  ],
  'a format that the provider does not know': [
    classOf(one('objectName: db-password', 'objectType: secret', 'objectFormat: truststore')),
    `${object}objectFormat "truststore": expected one of pem, pfx`,
  ],
  'pfx of a certificate': [
    classOf(one('objectName: db-password', 'objectType: cert', 'objectFormat: pfx')),
    `${object}objectFormat pfx is for objectType secret only, not cert`,
  ],
  'a wrong encoding': [
    classOf(one(...password, 'objectEncoding: base-64')),
    `${object}objectEncoding "base-64": expected one of utf-8, base64, hex (did you mean "base64"?)`,
  ],
  'encoding of a key': [
    classOf(one('objectName: db-password', 'objectType: key', 'objectEncoding: hex')),
    `${object}objectEncoding hex is for objectType secret only, not key`,
  ],
  'a permission that is not octal': [
    classOf(one(...password, 'filePermission: 0900')),
    `${object}filePermission "0900": expected three octal digits, with or without a leading 0, such as 0440`,
  ],
  'a permission of words': [
    classOf(one(...password, 'filePermission: rw-r-----')),
    `${object}filePermission "rw-r-----": expected three octal digits, with or without a leading 0, such as 0440`,
  ],
  'a history of words': [
    classOf(one(...password, 'objectVersionHistory: all')),
    `${object}objectVersionHistory "all": expected a whole number from 1 to 100`,
  ],
  'a negative history': [
    classOf(one(...password, 'objectVersionHistory: -1')),
    `${object}objectVersionHistory "-1": expected a whole number from 1 to 100`,
  ],
  'a version with a slash': [
    classOf(one(...password, 'objectVersion: a/b')),
    `${object}objectVersion "a/b": expected the id of a version, letters and digits only`,
  ],
  'an alias that leads out': [
    classOf(one(...password, 'objectAlias: a/../../b')),
    `${object}objectAlias "a/../../b": a path may not have a component ".."`,
  ],
  'an absolute alias': [
    classOf(one(...password, 'objectAlias: /etc/passwd')),
    `${object}objectAlias "/etc/passwd": a path is relative to the mount and may not begin with "/"`,
  ],
  "an alias of the volume's own": [
    classOf(one(...password, 'objectAlias: ..data')),
    `${object}objectAlias "..data": a path may not begin with ".."`,
  ],
  'a field that is a list': [classOf(one(...password, 'objectAlias: [a]')), `${object}objectAlias: expected a text`],
  'two objects at one path': [
    classOf({ objects: array(password, ['objectName: db-password', 'objectType: key']) }),
    'key db-password of SecretProviderClass "kv" and secret db-password of SecretProviderClass "kv" are both written to "db-password"; give one of them another path',
  ],
  'a file that is a folder': [
    classOf({
      objects: array([...password, 'objectAlias: a'], ['objectName: b', 'objectType: key', 'objectAlias: a/b']),
    }),
    'key b of SecretProviderClass "kv" is written to "a/b", but secret db-password of SecretProviderClass "kv" is a file at "a"; give one of them another path',
  ],
  'several problems at once': [
    classOf({ keyvaultName: 'x', clientID: 'y', objects: array('objectName: a_b', password, 'objectType: key') }),
    `${here}clientID "y": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
    `${here}keyvaultName "x": expected the name of a vault, 3 to 24 letters, digits and dashes`,
    `${here}object 1 ("a_b"): objectType is required: secret, key or cert`,
    `${here}object 1 ("a_b"): objectName "a_b": expected 1 to 127 letters, digits and dashes`,
    `${here}object 3: objectName is required`,
  ],
  'a class that is not there': [
    'absent',
    'there is no SecretProviderClass "kv" in namespace "shop": create it there, or correct the annotation; a class must be in the pod\'s own namespace',
  ],
  'no such kind in the cluster': [
    'unknown-kind',
    'the cluster has no SecretProviderClasses: the CustomResourceDefinition secretproviderclasses.secrets-store.csi.x-k8s.io (v1) is not installed; install it, or use the annotation azure.keyvault.injector/objects',
  ],
}

for (const [name, [found, ...texts]] of Object.entries(bad)) {
  void t.test(`SecretProviderClass: rejected, ${name}`, async (t) => {
    const { problems } = told({ kv: found })
    t.strictSame(
      problems.map((problem) => problem.replace(/^[a-z-]+: /, '')),
      texts,
    )
    t.ok(problems.every((problem) => /^(secret-provider-class|bad-annotation|no-identity): /.test(problem)))
  })
}
