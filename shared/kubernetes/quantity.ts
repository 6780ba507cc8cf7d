/** The resource kinds that a sidecar may request. */
export const resourceKinds = ['cpu', 'memory', 'ephemeral-storage'] as const

const factors: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/**
 * Returns the number of a Kubernetes quantity (`50m` is 0.05, `64Mi` is 67108864); NaN for an invalid text.
 * {@link https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/}
 */
export function quantityOf(text: string | number): number {
  const [, number, suffix = ''] =
    /^\+?(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?\d+))?$/.exec(String(text)) ?? []
  const exponent = /[eE]([-+]?\d+)$/.exec(String(text))?.[1]
  return number === undefined
    ? NaN
    : Number(number) * (exponent === undefined ? (factors[suffix] ?? NaN) : 10 ** Number(exponent))
}

/** Prints bytes as a quantity of mebibytes, rounded down: at least `1Mi`. */
export const mebibytes = (bytes: number): string => `${Math.max(1, Math.floor(bytes / 2 ** 20))}Mi`
/** Prints CPUs in thousandths, and anything else in mebibytes if they are whole, so that nothing is rounded. */
export const printed = (kind: string, amount: number): string =>
  kind === 'cpu' ? millicpus(amount + 1e-9) : amount > 0 && amount % 2 ** 20 === 0 ? mebibytes(amount) : String(amount)
/** Prints CPUs as a quantity of thousandths, rounded down: at least `1m`. */
export const millicpus = (cpus: number): string => `${Math.max(1, Math.floor(cpus * 1000))}m`
