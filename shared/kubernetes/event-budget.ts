import type { Clock } from '../clock.ts'
import { createNamespaceBudget } from '../namespace-budget.ts'

/** Events of a namespace. Equal Events that wait together count once. */
const rate = { burst: 50, perSecond: 1 }

/** Returns whether a namespace may have another Event now. */
export const createEventBudget = (clock?: Pick<Clock, 'elapsed'>): ((namespace: string) => boolean) =>
  createNamespaceBudget(rate, clock)
