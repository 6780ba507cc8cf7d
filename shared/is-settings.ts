import { Check } from 'typebox/value'
import { Settings } from './settings-schema.ts'

/** Whether a value fits the schema. The sidecar's bundle has this compiled (scripts/build/schemas.ts), without the schema. */
export const isSettings = (value: unknown): value is Settings => Check(Settings, value)
