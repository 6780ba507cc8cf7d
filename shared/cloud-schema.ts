import { Type, type Static } from 'typebox'

/** Where a cloud signs in and keeps its vaults. The three public ones are built in, others are the admin's. */
export const Cloud = Type.Object(
  {
    authorityHost: Type.String({
      pattern: '^https://',
      description: 'where tokens are issued, such as https://login.microsoftonline.com',
    }),
    vaultSuffix: Type.String({
      minLength: 1,
      description: "what follows `<vault>.` in a vault's host name, such as vault.azure.net",
    }),
    caCertificates: Type.Optional(
      Type.String({ description: 'PEM certificates trusted for this cloud in addition to the public ones' }),
    ),
    apiVersion: Type.Optional(Type.String({ description: 'the Key Vault api-version to speak; default 7.6' })),
    tokenAudience: Type.Optional(
      Type.String({
        description:
          'audience of the ServiceAccount token that is exchanged there, as its federated credentials have it; default api://AzureADTokenExchange',
      }),
    ),
    verifyChallengeResource: Type.Optional(
      Type.Boolean({ description: "refuse a challenge whose resource is not the vault's domain; default true" }),
    ),
    instanceDiscovery: Type.Optional(
      Type.Boolean({
        description:
          'whether the public instance discovery endpoint may be asked; default false outside the public clouds',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Cloud = Static<typeof Cloud>
