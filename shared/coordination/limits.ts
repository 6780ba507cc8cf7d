/**
 * The bounds of what sidecar and coordinator send each other. Each side ends a session that exceeds one of them, because the
 * other side may be anything.
 */

/** Bytes of a line that a sidecar sends. */
export const longestLine = 16 * 1024
/** Bytes of an event that a coordinator sends. */
export const longestEvent = 64 * 1024
/** Characters of the certificates in an event. */
export const longestAuthorities = 56 * 1024
/** Objects in an event: the longest take 500 bytes each. */
export const objectsPerEvent = 100
/** Lines or events a second, and how many more may come at once. */
export const messageRate = { perSecond: 20, burst: 60 }
/** Sources in a snapshot. */
export const maxSources = 500
/** Lines of a snapshot, and of a state. */
export const maxParts = 64
/** Bytes of the objects in one line of a state; the rest of {@link longestLine} is for the other fields. */
export const stateLineBytes = 15 * 1024
/** Problems of a pod whose messages are sent and kept; of the others, only the code. */
export const reportedProblems = 16

/** Versions in a request for a turn, and in all halts of a group; each takes 15 bytes of a line. */
export const maxTurnVersions = 350
/** Halts of a group: the oldest is forgotten. */
export const maxHalts = 4
/** Characters of a sentence about a turn. */
export const longestTurnText = 200

/** What the path of a session is. Paths of this version stay for as long as pods live that know no other. */
export const sessionPath = '/v1/session'
/** What the audience of a session's token begins with; the pod's group follows. */
export const audiencePrefix = 'akv-injector-coordinator/'
