/** What pods request from Key Vault in a month, for the table of docs/operating.md; the bench measures the same. */

/** With the defaults of `poll-interval`, `fullRefresh` and `watchInterval`, in seconds. */
const pollInterval = 120
const fullRefresh = 3_600
const watchInterval = 15
/** A full refresh comes up to a fifth earlier. */
const meanRefresh = 0.9
const hour = 3_600
const hoursPerMonth = 30 * 24

/** USD ({@link https://azure.microsoft.com/pricing/details/key-vault/}). */
const pricePer10000 = 0.03

/** Quiet pods, each with some objects of one type in a vault of up to 25 objects. */
export interface QuietFleet {
  pods: number
  objects: number
}

/** Requests in an hour: a list in each poll, and every object again in each `fullRefresh`; or a read of the only object in each poll. */
export const polledAnHour = ({ pods, objects }: QuietFleet): number =>
  pods * (hour / pollInterval + (objects === 1 ? 0 : (objects * hour) / fullRefresh))

/** Requests in an hour: the looks of the coordinator, and every object of each pod again in each `fullRefresh`. */
export const watchedAnHour = ({ pods, objects }: QuietFleet): number =>
  hour / watchInterval + (pods * objects * hour) / (fullRefresh * meanRefresh)

/** Rows with the requests and the price of a month. */
export function monthRows(): string[][] {
  const fleets = [1, 10].flatMap((objects) => [10, 100, 1_000].map((pods) => ({ pods, objects })))
  return fleets.map((fleet) => [
    fleet.pods.toLocaleString('en'),
    String(fleet.objects),
    ...[polledAnHour(fleet), watchedAnHour(fleet)].flatMap(month),
  ])
}

function month(anHour: number): [requests: string, cost: string] {
  const requests = anHour * hoursPerMonth
  return [`${(requests / 1e6).toFixed(2)} million`, `${((requests / 10_000) * pricePer10000).toFixed(2)} USD`]
}
