/** A section of docs/troubleshooting.md about an outcome of the sidecar. */
export interface OutcomeHelp {
  meaning: string
  /** Characteristic parts of its messages, as they are in the sources. */
  messages: readonly string[]
  remedy: string
}

/**
 * What each outcome of the sidecar means, and what to do: those that keep a pod from starting first. The documentation and the command line
 * use it; the sidecar itself only has the codes.
 */
export const outcomes = {
  forbidden: {
    meaning: 'the vault knows the identity, and does not let it read the object (403)',
    messages: [
      'is not allowed to',
      "the vault's firewall blocks this cluster",
      'the vault accepts requests only through private endpoints',
    ],
    remedy:
      'Grant the role or add the permission that the message names; both take minutes to apply. A firewall or a private endpoint is a matter of the network: see [private networks](private-networks.md).',
  },
  gone: {
    meaning: 'the vault has no such object, or no such version of it',
    messages: ['of this name and version: was it deleted, or does it have another type?'],
    remedy:
      'Compare the name and the type with the vault. A deleted object can be recovered there. If the pod should start without it, set `optional`.',
  },
  'not-found': {
    meaning: 'something answered 404, but not as Key Vault says that an object does not exist',
    messages: ['a body that Key Vault does not send'],
    remedy: 'Check the URL of the vault, and whether a proxy or firewall answers in its place.',
  },
  disabled: {
    meaning: 'the newest version, or the version that the pod names, is disabled',
    messages: ['this version is disabled; enable it or add a new version'],
    remedy: 'Enable the version or add a new one.',
  },
  pending: {
    meaning: 'the certificate is being created',
    messages: ['the certificate is pending: merge the signed request'],
    remedy:
      'If its authority is integrated with Key Vault, wait. Otherwise, merge the signed request, or cancel it. With `optional`, the pod starts without the certificate.',
  },
  selection: {
    meaning:
      'a `find` selects too many objects or objects whose files conflict, or an object with `history` has too many versions',
    messages: ['objects match, and at most', 'is also that of', 'there are more than'],
    remedy:
      'Narrow `name` or `tags`, change `path`, or have the administrator raise `find.maxMatches` or `find.maxPages`. The last good selection stays. For an object with more than 5,000 versions, leave `history` out, or continue with an object of another name: Key Vault deletes no single version.',
  },
  render: {
    meaning:
      'an object was read, but cannot be written in the requested format, or a template or bundle cannot be rendered',
    messages: ['contains a single quote'],
    remedy:
      'Correct the value, the format or the template, as the message says. The last good file stays. Each poll renders a failing template or bundle again from the files in the volume. [Objects](objects.md) describes formats and templates, [environment variables](environment-variables.md#values-that-no-variable-can-have) the values that no variable can have.',
  },
  'sign-in': {
    meaning: 'Microsoft Entra ID refuses to issue a token, or the vault belongs to another tenant',
    messages: [
      'the federated credential must have exactly',
      'is the client ID right, and does it belong to this tenant?',
      'is the tenant ID right?',
      'but the pod signs in at tenant',
      "the pod's token cannot be read",
    ],
    remedy:
      'Compare issuer, subject and audience of the federated credential with those in the message, and the client ID and tenant ID with the identity. [Getting started on AKS](getting-started-aks.md#3-create-an-identity-that-only-this-serviceaccount-can-use) has the commands.',
  },
  'sign-in-unavailable': {
    meaning: 'the sign-in service throttled, timed out, failed, or does not know a new credential yet',
    messages: ['the sign-in service gave no complete answer', 'the Azure SDK could not use the answer'],
    remedy:
      'The sidecar retries by itself. If it lasts, check that the pod can reach the host in the message: see [private networks](private-networks.md).',
  },
  unauthorized: {
    meaning: 'the vault rejects the token of the identity (401)',
    messages: [
      'the vault rejects the token of identity',
      'but its token is for another audience',
      'but at a tenant that this vault does not trust',
      '401 without a challenge that says how to sign in',
      'verifyChallengeResource: false',
    ],
    remedy: "Set `tenant-id` to the vault's tenant, or `cloud` to the vault's cloud, as the message says.",
  },
  network: {
    meaning: 'there is no connection to the vault: name, route, firewall or TLS',
    messages: [
      'does not resolve: is it right',
      'the DNS server did not answer for',
      'refused the connection',
      'there is no route to',
      'did not accept a connection in time',
      'is not signed by a trusted authority',
      'has expired, or the clock of this node is wrong',
      'is not valid yet: is the clock of this node right?',
      'is for other names: is there a proxy or firewall in between?',
    ],
    remedy:
      'The message names host and port. Check the name, the DNS and the network policies of the namespace. [Private networks](private-networks.md) describes private endpoints, proxies and certificate authorities of your own.',
  },
  timeout: {
    meaning: 'the vault accepted the connection and gave no complete answer in time',
    messages: ['gave no complete answer'],
    remedy:
      'The sidecar retries by itself. If it lasts, look for a firewall that drops packets, or a private endpoint whose name resolves to another address inside the cluster.',
  },
  throttled: {
    meaning: 'the vault throttles requests (429)',
    messages: ['the vault throttles requests'],
    remedy:
      'The sidecar retries by itself and respects `Retry-After`. If it lasts, raise `poll-interval`, or use several vaults. [Capacity](operating.md#capacity) has the figures.',
  },
  unavailable: {
    meaning: 'the vault failed (5xx, 408 or 409)',
    messages: [],
    remedy: 'The sidecar retries by itself. If it lasts, look at the health of Key Vault in your region.',
  },
  malformed: {
    meaning: 'the answer is not one that Key Vault sends',
    messages: [
      'the answer is not from Key Vault',
      'which is not followed',
      'an empty body, which Key Vault does not send',
    ],
    remedy: 'Check the URL of the vault, and whether a proxy, firewall or login page answers in its place.',
  },
  'bad-request': {
    meaning: 'the vault does not accept the request (400 and other 4xx)',
    messages: [],
    remedy: "Read the vault's words in the message; usually the version of an object is not one that Key Vault issues.",
  },
  volume: {
    meaning: 'the files cannot be written',
    messages: ['could not write the new set of files, the current files stay'],
    remedy:
      'The message has the error of the file system. The current files stay, and the sidecar retries. If it lasts, find out which container or policy changes the volume, its owner or its mount.',
  },
  'no-answer': {
    meaning: 'the first requests have no answer yet, or `startup-timeout` ended before one came',
    messages: ['no answer yet', "the pod's startup-timeout"],
    remedy:
      'If the container ended within seconds, something else ended it: look at its exit code, and at its memory limit. Otherwise, read the log of the container (`kubectl logs POD -c akv-injector --previous`), and see [`timeout`](#sidecar-timeout).',
  },
  settings: {
    meaning: 'the settings that the webhook wrote cannot be used',
    messages: ['expected run or once'],
    remedy:
      'Recreate the pod, so that the webhook writes them again. If the message names a tenant, an identity or a cloud, correct that. If it happens again, the webhook and the image of the sidecar may have different versions.',
  },
  'cannot-start': {
    meaning: 'the sidecar could not start its server, or had an unexpected error',
    messages: ['the sidecar cannot start:'],
    remedy:
      'If its port is in use (`EADDRINUSE`), declare the port in `ports` of the container that listens on it: the sidecar then takes another one. Please report other errors.',
  },
  environment: {
    meaning: 'the kubelet of the node does not read environment variables from files',
    messages: ['so it is older than Kubernetes 1.35 or has the feature EnvFiles turned off'],
    remedy:
      'Upgrade the node, keep the pod off such nodes with a node selector, or let the app read a template or bundle. See [environment variables](environment-variables.md#what-you-need).',
  },
  'not-permitted': {
    meaning: "the kernel does not let the sidecar signal the app's process",
    messages: ['is not permitted to signal'],
    remedy:
      'Let both run as the same user: set `runAsUser` in the security context of the pod or container, or `run-as-user`. See [signals](signals.md).',
  },
  'no-such-process': {
    meaning: 'the app is not running, or no process has the name in `signal-process`',
    messages: ['has just started', 'replaced by a later change'],
    remedy:
      'The sidecar retries until the app gets the signal. If it lasts, compare `signal-container` and `signal-process` with what runs.',
  },
  'not-identifiable': {
    meaning: 'the sidecar cannot see which process belongs to which container',
    messages: [
      'the pod does not share its process namespace',
      'the sidecar cannot signal itself',
      'this container has no mounted termination log',
    ],
    remedy:
      'In a sandbox such as gVisor or Kata, use `notify-url`. Otherwise, the message says what is missing. See [signals](signals.md#which-process).',
  },
  'http-error': {
    meaning: 'the `notify-url` did not answer with 2xx in time',
    messages: ['redirects are not followed', 'did not answer within', 'is not a loopback address'],
    remedy:
      'Check that the app listens on this port of a loopback address, accepts a POST, and answers within 10 s. The sidecar retries until it does.',
  },
  delivered: {
    meaning: 'the app got the signal, or answered the POST',
    messages: [],
    remedy:
      'Nothing is wrong. If the app still uses the old values, see what it does on the signal: [signals](signals.md).',
  },
  permitted: {
    meaning: 'the sidecar may signal the process of the app',
    messages: ['has no handler for'],
    remedy:
      'Nothing is wrong, unless the message says that the process has no handler for the signal, or ignores it: choose another signal, or add a handler.',
  },
  stale: {
    meaning: 'the files are those of before a restart of the sidecar, and not every vault has answered since',
    messages: ['that is in the volume'],
    remedy: 'It ends with the next successful poll. Until then, `vaults` in `/status` says why there is none.',
  },
  suspended: {
    meaning: 'the annotation `suspend` stops polling',
    messages: ['the vaults are polled when suspend ends'],
    remedy: 'Remove the annotation: `kubectl annotate pod POD azure.keyvault.injector/suspend-`.',
  },
  tampered: {
    meaning: 'something other than the sidecar changed files in the volume',
    messages: ['something other than the sidecar changed'],
    remedy:
      "The sidecar restores the files. Find out which container runs as the sidecar's user, and let it run as another one.",
  },
} satisfies Record<string, OutcomeHelp>
export type OutcomeCode = keyof typeof outcomes
