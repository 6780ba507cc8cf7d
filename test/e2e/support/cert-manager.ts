const text = { type: 'string' }
const object = (properties: Record<string, object>, required: string[] = []) => ({
  type: 'object',
  properties,
  required,
})
const issuerRef = object({ name: text, kind: text, group: text }, ['name'])

/**
 * The fields of cert-manager's kinds that the overlay uses, as a closed schema: another field is a mistake. {@link
 * https://cert-manager.io/docs/reference/api-docs/}
 */
const specs = {
  Issuer: object({ selfSigned: object({}), ca: object({ secretName: text }, ['secretName']) }),
  Certificate: object(
    {
      secretName: text,
      isCA: { type: 'boolean' },
      commonName: text,
      dnsNames: { type: 'array', items: text },
      duration: text,
      privateKey: object({ rotationPolicy: { type: 'string', enum: ['Never', 'Always'] } }),
      issuerRef,
    },
    ['secretName', 'issuerRef'],
  ),
}

/** CustomResourceDefinitions that replace cert-manager's if it is not installed. */
export const certManagerKinds = Object.entries(specs).map(([kind, spec]) => {
  const singular = kind.toLowerCase()
  const schema = {
    openAPIV3Schema: object({ apiVersion: text, kind: text, metadata: { type: 'object' }, spec }, ['spec']),
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.cert-manager.io`, labels: { 'akv-injector-e2e': 'true' } },
    spec: {
      group: 'cert-manager.io',
      scope: 'Namespaced',
      names: { kind, singular, plural: `${singular}s` },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
})
