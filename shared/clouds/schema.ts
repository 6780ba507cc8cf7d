import { Type, type Static } from 'typebox'

/** The endpoints of a cloud. The three public ones are built in, others are in the administrator's file. */
export const Cloud = Type.Object(
  {
    authorityHost: Type.String({
      pattern: '^https://',
      description: 'URL that issues tokens, such as https://login.microsoftonline.com',
    }),
    vaultSuffix: Type.String({
      minLength: 1,
      description: "the part of a vault's host name after `<vault>.`, such as vault.azure.net",
    }),
    caCertificates: Type.Optional(
      Type.String({ description: 'PEM certificates trusted for this cloud in addition to the public ones' }),
    ),
    apiVersion: Type.Optional(Type.String({ description: 'api-version of Key Vault requests; default 7.6' })),
    tokenAudience: Type.Optional(
      Type.String({
        description:
          'audience of the ServiceAccount token, which must equal that of the federated credential; default api://AzureADTokenExchange',
      }),
    ),
    verifyChallengeResource: Type.Optional(
      Type.Boolean({ description: "reject a challenge if its resource is not the vault's domain; default true" }),
    ),
    instanceDiscovery: Type.Optional(
      Type.Boolean({
        description:
          'whether the public instance discovery endpoint may be used; default false outside the public clouds',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Cloud = Static<typeof Cloud>
