/**
 * The variables that the workload identity webhook sets too: `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` stand in for what an
 * identity of the settings leaves out; `AZURE_FEDERATED_TOKEN_FILE` for where our own token is mounted. A cloud always names
 * its authority, so `AZURE_AUTHORITY_HOST` is not read. `HTTPS_PROXY` and `NO_PROXY` are, those of token-proxy.ts, and
 * `AZURE_POD_IDENTITY_AUTHORITY_HOST`, which the Azure SDKs read too: another metadata service than the node's.
 */
export type Environment = Readonly<Record<string, string | undefined>>
