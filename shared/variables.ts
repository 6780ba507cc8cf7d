/** Environment variables that containers read from files of the secrets volume: what webhook and sidecar agree on. */

/** The folder of their files in each set. It begins with `..` like every entry of the sidecar's, so that no user's path can be the same. */
export const variableFolder = '..env'

/** Limit of the variables of one pod: each is an entry in several containers. */
export const maxVariables = 100
/** A name that every shell and runtime accepts. */
export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/

/**
 * Precedes the names of variables in the container that checks them, so that none of them (`NODE_OPTIONS`, `LD_PRELOAD`) changes its
 * program.
 */
export const checkedPrefix = 'AKV_ENV_'

/** The file of a variable, below the folder of a set. */
export const variableFile = (name: string): string => `${variableFolder}/${name}`

/** Whether a path of a set is the file of a variable. */
export const isVariableFile = (path: string): boolean =>
  path.startsWith(`${variableFolder}/`) && variablePattern.test(path.slice(variableFolder.length + 1))
