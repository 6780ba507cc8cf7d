import { Check } from 'typebox/value'
import { Settings } from './schema.ts'

/** Whether a value matches the schema. The sidecar's bundle contains the compiled check (scripts/build/schemas.ts) instead of the schema. */
export const isSettings = (value: unknown): value is Settings => Check(Settings, value)
