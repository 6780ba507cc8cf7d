// A sidecar that ends as the real one does when the vault refuses it: its reason in the termination log, exit code 1.
import { writeFileSync } from 'node:fs'

const root = process.env['AKV_INJECTOR_ROOT'] ?? ''
writeFileSync(`${root}/dev/termination-log`, 'vault shop-kv, secret db-password: 403 ForbiddenByRbac')
process.exit(1)
