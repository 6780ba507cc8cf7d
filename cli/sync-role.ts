import { didYouMean, quote } from '../shared/messages.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { roleText, type RoleInputs } from '../sync/role.ts'
import { readSecretObjects } from '../sync/secret-objects.ts'
import { readOptions } from '../sync/sync-class.ts'
import { annotationPrefix } from '../shared/names.ts'
import { objectsIn, readDocuments } from './documents.ts'

/**
 * Returns the Role and the RoleBinding, as YAML, that a SecretProviderClass among manifests needs, and why some of its Secrets are not in
 * it.
 */
export function syncRole(
  text: string,
  { name, namespace, ...flags }: Pick<RoleInputs, 'name' | 'namespace' | 'programNamespace' | 'allowDelete'>,
): Result<{ text: string; problems: string[] }> {
  const documents = readDocuments(text)
  if (!documents.ok) return documents
  const classes = objectsIn(documents.value)
    .map(({ manifest }) => manifest)
    .filter(({ kind }) => kind === 'SecretProviderClass')
  const found = classes.find(({ metadata }) => metadata?.name === name)
  if (found === undefined) {
    const known = classes.flatMap(({ metadata }) => metadata?.name ?? [])
    return fail(`there is no SecretProviderClass ${quote(name)} in it${didYouMean(name, known)}`)
  }
  const annotations = Object.entries(found.metadata?.annotations ?? {}).filter(([key]) =>
    key.startsWith(annotationPrefix),
  )
  const options = readOptions(Object.fromEntries(annotations))
  if (!options.ok) return options
  const { requests, problems } = readSecretObjects(
    (found.spec as { secretObjects?: unknown } | undefined)?.secretObjects,
  )
  if (requests.length === 0) return fail(...problems)
  const { serviceAccount } = options.value
  const secrets = requests.map((request) => request.name)
  const inputs = { namespace: found.metadata?.namespace ?? namespace, name, serviceAccount, secrets }
  return ok({ text: roleText({ ...inputs, ...flags }), problems })
}
