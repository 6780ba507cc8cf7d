/** The part of a JSON schema that the documentation shows. */
interface Schema {
  type?: string
  description?: string
  default?: unknown
  enum?: readonly unknown[]
  properties?: Record<string, Schema>
  items?: Schema
  patternProperties?: Record<string, Schema>
}

/** Returns one row `[field, default, meaning]` for every field in the schema of an object, including nested objects. */
export function schemaRows(schema: Schema, prefix = ''): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix + name
    const row = [`\`${path}\``, field.default === undefined ? '-' : `\`${shown(field.default)}\``, meaning(field)]
    const [perKey] = Object.values(field.patternProperties ?? {})
    return [
      row,
      ...schemaRows(field, `${path}.`),
      ...(field.items === undefined ? [] : schemaRows(field.items, `${path}[].`)),
      ...(perKey === undefined ? [] : schemaRows(perKey, `${path}.<name>.`)),
    ]
  })
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const meaning = ({ description = '', enum: values }: Schema): string =>
  values === undefined ? description : `${values.map((value) => `\`${String(value)}\``).join(', ')}: ${description}`
