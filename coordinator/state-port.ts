/** The loopback port on which the coordinator answers programs of its own pod, unless `STATE_PORT` names another. */
export const defaultStatePort = 8444
