import type { Cloud } from './clouds.ts'

/** Adds the CA certificates that are trusted in every cloud. */
export const trusting = (cloud: Cloud, caCertificates: string | undefined): Cloud =>
  caCertificates === undefined
    ? cloud
    : { ...cloud, caCertificates: [cloud.caCertificates, caCertificates].filter(Boolean).join('\n') }
