import { annotations } from '../../shared/annotations/table.ts'
import { parseDuration } from '../../shared/duration.ts'
import { readNoProxy } from '../../shared/no-proxy.ts'
import { certificateProblem } from '../../shared/pem.ts'
import { quote } from '../../shared/messages.ts'
import { quantityOf } from '../../shared/kubernetes/quantity.ts'

/** Returns the problem of a text, or undefined. */
type Check = (text: string) => string | undefined

const matching =
  (pattern: RegExp, expected: string): Check =>
  (text) =>
    pattern.test(text) ? undefined : `expected ${expected}`

const label = matching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'the name of a container')
const subdomain = matching(
  /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  'the name of a Secret',
)

/** A size in bytes, without the suffix `m`, which would mean thousandths of a byte. */
const bytes: Check = (text) =>
  /^\d+(\.\d+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$/.test(text) && quantityOf(text) > 0
    ? undefined
    : 'expected a quantity of bytes above zero such as 64Mi'
const cpus: Check = (text) =>
  /^\d+(\.\d+)?m?$/.test(text) && quantityOf(text) > 0 ? undefined : 'expected a quantity of CPUs such as 50m or 1'

function duration(text: string): string | undefined {
  const parsed = parseDuration(text)
  if (!parsed.ok) return parsed.problems.join('; ')
  return parsed.value > 0 ? undefined : 'expected a duration above zero'
}

function authority(text: string): string | undefined {
  const url = URL.parse(text)
  const isPlain = url?.protocol === 'https:' && !url.username && !url.password && !url.search && !url.hash
  return isPlain && !/\s/.test(text) ? undefined : 'expected an https:// URL such as https://login.microsoftonline.com'
}

function coordinatorUrl(text: string): string | undefined {
  const url = /^https:\/\/[-a-zA-Z0-9.]+(:\d{1,5})?\/?$/.test(text) ? URL.parse(text) : null
  return url ? undefined : 'expected an https:// URL of a host and a port, without a path'
}

function proxy(text: string): string | undefined {
  const url = /^https?:\/\/\S+$/i.test(text) ? URL.parse(text) : null
  return url !== null && url.pathname === '/' && !url.search && !url.hash
    ? undefined
    : 'expected a URL of a host and a port such as http://egress.example:3128'
}

function noProxy(text: string): string | undefined {
  const { unknown } = readNoProxy(text)
  return unknown.length === 0
    ? undefined
    : `${unknown.map(quote).join(' and ')}: expected hosts, domains, IP addresses or CIDR blocks, separated by commas, such as .svc,10.0.0.0/8`
}

/** An image reference as container runtimes read it: `[host[:port]/]path[:tag][@digest]`. */
function image(text: string): string | undefined {
  const expected = 'expected an image reference such as registry.example/akv-injector:1.2.3'
  const [named = '', digest, ...rest] = text.split('@')
  if (rest.length > 0 || (digest !== undefined && !/^sha(256|512):[0-9a-f]{64,128}$/.test(digest))) return expected
  const [, path = '', tag] = /^(.*?)(?::([^/:]*))?$/.exec(named) ?? []
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) return expected
  const parts = path.split('/')
  const hasHost = parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? '')
  if (hasHost && !/^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:\d{1,5})?$/.test(parts.shift() ?? '')) return expected
  return parts.every((part) => /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/.test(part)) ? undefined : expected
}

const vaultPattern: Check = (text) =>
  /^(https:\/\/[-A-Za-z0-9.*]+(:\d{1,5})?\/?|[-A-Za-z0-9*]{1,24})$/.test(text)
    ? undefined
    : 'expected the name of a vault or an https:// URL without a path, `*` matches any characters except a dot'

/** The grammar of texts in the administrator's file, by path; `*` stands for any key or index. */
const grammar: Readonly<Record<string, Check>> = {
  tenantId: (text) => annotationProblem('tenant-id', text),
  'clouds.*.authorityHost': authority,
  'clouds.*.vaultSuffix': matching(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:\d{1,5})?$/,
    "what follows the vault's name and a dot in a host name, in lower case, such as vault.azure.net",
  ),
  'clouds.*.caCertificates': certificateProblem,
  'clouds.*.caCertificatesFile': matching(/^\/[^\0]+$/, 'an absolute path of a file'),
  'clouds.*.apiVersion': matching(
    /^(\d+\.\d+|\d{4}-\d\d-\d\d)(-preview(\.\d+)?)?$/,
    'a version such as 7.6 or 2016-10-01',
  ),
  'clouds.*.tokenAudience': matching(/^[!-~]{1,253}$/, 'an audience without blanks such as api://AzureADTokenExchange'),
  'knownSidecars.*': label,
  'vaults.*.namespaces.*': matching(/^[-a-z0-9*]{1,63}$/, 'the name of a namespace, or a pattern such as team-*'),
  'vaults.*.vaults.*': vaultPattern,
  'coordinator.url': coordinatorUrl,
  'coordinator.caCertificates': certificateProblem,
  'coordinator.caCertificatesFile': matching(/^\/[^\0]+$/, 'an absolute path of a file'),
  'coordinator.vaults.*.namespaces.*': matching(
    /^[-a-z0-9*]{1,63}$/,
    'the name of a namespace, or a pattern such as team-*',
  ),
  'coordinator.vaults.*.vaults.*': vaultPattern,
  'coordinator.watchInterval': duration,
  'coordinator.heartbeat': duration,
  'coordinator.coverageAge': duration,
  'coordinator.reconnect': duration,
  'coordinator.startGrace': duration,
  'coordinator.lostGrace': duration,
  'coordinator.refusedAfter': duration,
  'resources.*.cpu': cpus,
  'resources.*.memory': bytes,
  'resources.*.ephemeral-storage': bytes,
  image,
  'imagePullSecrets.*': subdomain,
  'proxy.httpProxy': proxy,
  'proxy.httpsProxy': proxy,
  'proxy.noProxy': noProxy,
  caCertificates: certificateProblem,
  volumeSizeLimit: bytes,
  oldestKubelet: matching(/^v?1\.\d{1,4}(\.\d+)?([-+][-+.A-Za-z0-9]+)?$/, 'a version of Kubernetes such as 1.29'),
  fullRefresh: duration,
  expiryHorizon: duration,
}
/** Values that messages do not repeat, because they are long or may contain a password. */
const unshown = /^proxy\.https?Proxy$|caCertificates$|^proxy\.noProxy$/

function annotationProblem(name: 'tenant-id', text: string): string | undefined {
  const parsed = annotations[name].parse(text)
  return parsed.ok ? undefined : parsed.problems.join('; ')
}

/** Returns the problems of texts in a file that matches the schema; each problem begins with the path. */
export function grammarProblems(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === 'string') {
    const where = path.join('.')
    const check = Object.entries(grammar).find(([rule]) => isAt(rule.split('.'), path))?.[1]
    const problem = check?.(value)
    if (problem === undefined) return []
    return [unshown.test(where) ? `${where}: ${problem}` : `${where} ${quote(value)}: ${problem}`]
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, one]) => grammarProblems(one, [...path, key]))
}

const isAt = (rule: string[], path: readonly string[]): boolean =>
  rule.length === path.length && rule.every((step, index) => step === '*' || step === path[index])
