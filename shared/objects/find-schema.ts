import { Type, type Static } from 'typebox'
import { mostFinds } from './formats.ts'
import { ObjectSpec } from './schema.ts'

const { vault, identity, type, format, encoding, property, mode, optional, split, convert } = ObjectSpec.properties

/** A selection of the objects of one type in a vault, each of which becomes an object of the pod. */
export const FindSpec = Type.Object(
  {
    vault,
    identity,
    type,
    /** The name that an object must have, without regard to case; `*` matches any characters. */
    name: Type.String({ pattern: '^[0-9a-zA-Z*-]{1,127}$' }),
    /** The tags that an object must have. */
    tags: Type.Record(Type.String(), Type.String()),
    /** The name by which templates and bundles refer to what was found. */
    group: Type.Optional(Type.String({ pattern: '^[A-Za-z][0-9A-Za-z_-]{0,62}$' })),
    /** Relative to the mount; `{name}` stands for the name of the object. */
    path: Type.String({ minLength: 1 }),
    format,
    encoding,
    property,
    mode,
    /** Whether the pod starts without a match that cannot be read. */
    optional,
    split,
    convert,
  },
  { additionalProperties: false },
)
export type FindSpec = Static<typeof FindSpec>

/** The finds of a pod, and the administrator's limits for each of them. */
export const Finds = Type.Object(
  {
    /** Pages of a list. */
    maxPages: Type.Integer({ minimum: 1, maximum: 1000 }),
    /** Objects that one of them may select. */
    maxMatches: Type.Integer({ minimum: 1, maximum: 500 }),
    finds: Type.Array(FindSpec, { minItems: 1, maxItems: mostFinds }),
  },
  { additionalProperties: false },
)
export type Finds = Static<typeof Finds>
