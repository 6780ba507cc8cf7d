import { createPublicKey, X509Certificate, createPrivateKey } from 'node:crypto'
import { parse } from 'yaml'
import type { Manifest } from '../../cli/documents.ts'
import type { Vault } from '../emulator/vault.ts'
import type { Pki } from '../support/pki.ts'

/** An object of a class, as its author wrote it. */
export interface ClassObject {
  objectName: string
  objectType: string
  objectAlias?: string | null
  objectVersionHistory?: number | string
  objectFormat?: string
  objectEncoding?: string
  filePermission?: number | string
}

/** A file that the driver would mount. */
export interface ExpectedFile {
  path: string
  content: Buffer
  /** Permissions, if the class asks for some. */
  mode?: number
}

/** The objects of a class. It is read here once more, so that the injector's own reading is compared with another. */
export function objectsOf({ spec }: Manifest): ClassObject[] {
  const { parameters } = spec as { parameters?: { objects?: string } }
  const { array } = parse(parameters?.objects ?? '') as { array: string[] }
  return array.map((text) => parse(text) as ClassObject)
}

/** Stores what the classes ask for, and returns the files that the Azure provider mounts for it. */
export async function fillVault(classes: readonly Manifest[], vault: Vault, pki: Pki): Promise<ExpectedFile[]> {
  const objects = classes.flatMap(objectsOf)
  const isCertificate = ({ objectName }: ClassObject): boolean =>
    /cert|tls|pfx/i.test(objectName) ||
    objects.some((one) => one.objectName === objectName && one.objectType === 'cert')
  const stored = new Map<string, Stored>()
  const files: ExpectedFile[] = []
  for (const object of objects) {
    const type = isCertificate(object) ? 'cert' : object.objectType
    const key = `${type} ${object.objectName}`
    const count = Math.max(...objects.filter(({ objectName }) => objectName === object.objectName).map(historyOf))
    const known = stored.get(key) ?? (await store(type, object.objectName, count, { vault, pki }))
    stored.set(key, known)
    files.push(...filesOf(object, known))
  }
  return files
}

/** The versions of an object, newest first, in each form that a class can ask for. */
type Stored = { secret: Buffer; key?: string; cert?: string; pfx?: Buffer }[]

const historyOf = ({ objectVersionHistory }: ClassObject): number => Number(objectVersionHistory ?? 1)

async function store(
  type: string,
  name: string,
  count: number,
  { vault, pki }: { vault: Vault; pki: Pki },
): Promise<Stored> {
  const all: Stored = []
  for (let number = 1; number <= count; number++) {
    // Versions of one second have no order.
    const attributes = { created: 1_700_000_000 + number }
    if (type === 'secret') {
      const value = `value ${number} of ${name}`
      vault.setSecret(name, value, { attributes })
      all.unshift({ secret: Buffer.from(value) })
    } else if (type === 'key') {
      const { content } = await vault.createKey(name, { kty: 'RSA', attributes })
      all.unshift({ secret: Buffer.alloc(0), key: pemOf(createPublicKey({ key: content.jwk, format: 'jwk' })) })
    } else all.unshift(storeCertificate(name, attributes, { vault, pki }))
  }
  return all
}

function storeCertificate(
  name: string,
  attributes: { created: number },
  { vault, pki }: { vault: Vault; pki: Pki },
): Stored[number] {
  const { key, certificates } = pki.chain('RSA 2048', 2)
  const pfx = pki.pkcs12({ key, certificates })
  vault.importCertificate(name, { value: pfx.toString('base64'), attributes })
  const printed = certificates.map((pem) => new X509Certificate(pem).toString())
  return {
    secret: Buffer.from(
      [createPrivateKey(key).export({ type: 'pkcs8', format: 'pem' }).toString(), ...printed].join(''),
    ),
    key: pemOf(new X509Certificate(certificates[0]!).publicKey),
    cert: printed[0]!,
    pfx,
  }
}

const pemOf = (key: ReturnType<typeof createPublicKey>): string =>
  key.export({ type: 'spki', format: 'pem' }).toString()

function filesOf(object: ClassObject, stored: Stored): ExpectedFile[] {
  const path = object.objectAlias || object.objectName
  const history = historyOf(object)
  const { filePermission } = object
  // YAML 1.2 reads 0755 as the number 755.
  const mode = filePermission === undefined ? {} : { mode: Number.parseInt(String(filePermission), 8) }
  return stored.slice(0, history).map((version, age) => ({
    path: history > 1 ? `${path}/${age}` : path,
    content: contentOf(object, version),
    ...mode,
  }))
}

function contentOf(
  { objectType, objectFormat, objectEncoding }: ClassObject,
  { secret, key, cert, pfx }: Stored[number],
): Buffer {
  if (objectType === 'key') return Buffer.from(key!)
  if (objectType === 'cert') return Buffer.from(cert!)
  if (objectFormat !== 'pfx' || pfx === undefined) return secret
  return objectEncoding === 'base64' ? pfx : Buffer.from(pfx.toString('base64'))
}
