/** What a reader of the examples fills in. */
export interface Answers {
  tenant: string
  client: string
}

/**
 * Replaces the placeholders that the examples of the Azure provider and of the driver use, by their meaning: `${TENANT_ID}`, `tid`,
 * `<client id of ...>`, `{{.Name}}` and others. A version is left empty, which means the latest.
 */
export function fillIn(text: string, { tenant, client }: Answers): string {
  const meaning = (name: string): string => {
    if (name.includes('TENANT')) return tenant
    if (name.includes('CLIENT_ID')) return client
    if (name.endsWith('_VERSION')) return name === 'API_VERSION' ? 'secrets-store.csi.x-k8s.io/v1' : ''
    const known: Record<string, string> = {
      KEYVAULT_NAME: 'kvname',
      AKV_NAME: 'kvname',
      SECRET_NAME: 'secret1',
      KEY_NAME: 'key1',
      CERT_NAME: 'tls-cert',
      SERVICE_ACCOUNT_NAME: 'web',
      NODE_SELECTOR_OS: 'linux',
    }
    return known[name] ?? name
  }
  return text
    .replace(/\$\{?([A-Z_]+)\}?/g, (_all, name: string) => meaning(name))
    .replace(/"?\btid\b"?/g, tenant)
    .replace(/<client id of [^>]+>|\bclient_id\b/g, client)
    .replaceAll('{{.Name}}', 'load')
    .replaceAll('{{.Group}}', 'load')
    .replaceAll('{{.Replicas}}', '1')
}
