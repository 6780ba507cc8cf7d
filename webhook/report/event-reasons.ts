/** Why the webhook writes Events: on the controller of a pod, or on the pod itself if it has no sidecar. */
export const eventReasons = {
  Injected: 'a pod was injected',
  InjectionDenied: 'a pod was rejected, or would be if the injector did not only report',
  InjectionSkipped: 'a pod was left as it is, because its annotation `inject` says so',
  InjectionMissed: 'a pod requests injection and runs without a sidecar',
} as const
export type EventReason = keyof typeof eventReasons
