/** What to do about a message of the sidecar, by what the message contains. The first that matches counts. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /but the pod signs in at tenant|AKV10032|AADSTS90002/,
    "wrong tenant: set the annotation azure.keyvault.injector/tenant-id on the pod template, azure.workload.identity/tenant-id on its ServiceAccount, or tenantId in the administrator's file to the vault's tenant, and recreate the pod",
  ],
  [
    /AADSTS(700016|7000229)/,
    'set azure.workload.identity/client-id of the ServiceAccount to the client ID of an identity in this tenant',
  ],
  [
    /AADSTS(70021|700213|700211|700027|700024)/,
    "add a federated credential to the identity, with the cluster's issuer and the subject system:serviceaccount:NAMESPACE:NAME (getting-started-aks.md)",
  ],
  [
    /ForbiddenByFirewall|ForbiddenByConnection/,
    "allow the cluster's network in the vault's firewall, or use a private endpoint (private-networks.md)",
  ],
  [
    /\b403\b|ForbiddenBy|AccessDenied/,
    'grant the identity that the message names the role that it names, on the vault; it takes effect within minutes',
  ],
  [
    /\b(ENOTFOUND|EAI_AGAIN)\b/,
    'vault unreachable: correct the name of the vault or its cloud, and check that the DNS of the cluster resolves it (private-networks.md)',
  ],
  [
    /\b(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|UND_ERR\w*)\b|did not (accept|answer)|timed? ?out/i,
    'vault unreachable: check NetworkPolicies (the sidecar needs port 443 and DNS), firewall, proxy and private endpoint (private-networks.md)',
  ],
  [
    /certificate of .* (is not signed|has expired|is for other)/,
    "add the CA to caCertificates in the administrator's file, or let traffic to the vault bypass the proxy",
  ],
  [/throttle/i, 'raise poll-interval, or spread the objects over several vaults'],
]

/** Returns what to do about a message of the sidecar. */
export const remedyOf = (message: string): string =>
  remedies.find(([pattern]) => pattern.test(message))?.[1] ??
  'do what the message says; troubleshooting.md#a-pod-does-not-start explains it'
