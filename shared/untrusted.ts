const codes =
  /^(CERT_SIGNATURE_FAILURE|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?))$/

/** True if a connection failed because the server's certificate is not signed by a trusted authority. */
export const isUntrusted = (error: unknown): boolean => codes.test(String((error as { code?: unknown } | null)?.code))
