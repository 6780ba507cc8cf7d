import { createHash, generateKeyPair, type JsonWebKey, type X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { VaultError } from './errors.ts'
import { publicJwk, readPem, readPkcs12, writePem, writePkcs12, type Material } from './material.ts'
import { ObjectStore, type Attributes, type Clock, type Version, type VersionOptions } from './store.ts'

export type Collection = 'secrets' | 'keys' | 'certificates'
export const collections: readonly Collection[] = ['secrets', 'keys', 'certificates']

export interface SecretContent {
  value: string
  contentType?: string | undefined
}
export interface KeyContent {
  jwk: JsonWebKey & { key_ops?: string[] | undefined }
}
export interface CertificateContent {
  /** Absent while the certificate is in creation. */
  leaf?: X509Certificate
  contentType: string
  exportable: boolean
}

export type ObjectOptions = Pick<VersionOptions, 'attributes' | 'tags'>

export interface CertificateImport extends ObjectOptions {
  /** PEM text, or PKCS#12 in base64. */
  value: string
  /** Of the PKCS#12 container. */
  password?: string | undefined
  /** What the secret of the same name holds; by default what was imported. */
  contentType?: string | undefined
  exportable?: boolean | undefined
}

export interface KeyRequest extends ObjectOptions {
  /** RSA, RSA-HSM, EC or EC-HSM. */
  kty: string
  /** Bits, for RSA; 2048 by default. */
  size?: number | undefined
  /** P-256, P-384 or P-521, for EC; P-256 by default. */
  curve?: string | undefined
  operations?: string[] | undefined
}

export const pkcs12Type = 'application/x-pkcs12'
export const pemType = 'application/x-pem-file'
/** Key Vault keeps secrets of at most 25 KiB. */
const secretLimit = 25 * 1024
const nameRule = /^[0-9a-zA-Z-]{1,127}$/

/** One vault: what is in it, and the writes that touch more than one object. Invalid input throws Key Vault's 400. */
export class Vault {
  readonly name: string
  /** Which inner code a refusal has: roles (`ForbiddenByRbac`) or access policies (`AccessDenied`). */
  authorization: 'rbac' | 'access-policy' = 'rbac'
  /** Whose tokens it takes, where not those of the emulator's own tenant; `adfs` for one of Azure Stack Hub. */
  tenant: string | undefined
  readonly secrets: ObjectStore<SecretContent>
  readonly keys: ObjectStore<KeyContent>
  readonly certificates: ObjectStore<CertificateContent>

  constructor(name: string, clock: Clock) {
    this.name = name
    this.secrets = new ObjectStore(clock)
    this.keys = new ObjectStore(clock)
    this.certificates = new ObjectStore(clock)
  }

  setSecret(
    name: string,
    value: string,
    {
      contentType,
      ...options
    }: ObjectOptions & Pick<VersionOptions, 'managed'> & { contentType?: string | undefined } = {},
  ): Version<SecretContent> {
    checkName(name)
    if (Buffer.byteLength(value) > secretLimit) throw badParameter(`The value exceeds ${secretLimit} bytes.`)
    return this.secrets.add(name, { value, contentType }, options)
  }

  /** The JWK is kept to the letter, so that a key can be as odd as some servers' are. Private members are never given out. */
  importKey(name: string, jwk: KeyContent['jwk'], options: ObjectOptions = {}): Version<KeyContent> {
    checkName(name)
    const { kty, crv, n, e, x, y, key_ops } = jwk
    if (!/^(RSA|EC)(-HSM)?$/.test(kty ?? '')) throw badParameter(`The key type ${kty} is not supported.`)
    return this.keys.add(name, { jwk: { kty: kty!, ...strip({ crv, n, e, x, y, key_ops }) } }, options)
  }

  async createKey(
    name: string,
    { kty, size, curve, operations, ...options }: KeyRequest,
  ): Promise<Version<KeyContent>> {
    checkName(name)
    const { publicKey } = kty.startsWith('EC')
      ? await promisify(generateKeyPair)('ec', { namedCurve: curve ?? 'P-256' })
      : await promisify(generateKeyPair)('rsa', { modulusLength: size ?? 2048 })
    return this.importKey(name, { ...publicKey.export({ format: 'jwk' }), kty, key_ops: operations }, options)
  }

  /** Imports a certificate, and with it the secret and the key of the same name and version. */
  importCertificate(name: string, request: CertificateImport): Version<CertificateContent> {
    checkName(name)
    const material = readMaterial(request)
    const leaf = material.chain[0]
    if (!leaf) throw badParameter('The value holds no certificate.')
    if (!material.key) throw badParameter('The value holds no private key.')
    const isPem = request.value.includes('-----BEGIN')
    const contentType = request.contentType ?? (isPem ? pemType : pkcs12Type)
    const exportable = request.exportable ?? true
    const pending = this.certificates.object(name)
    if (pending) pending.versions = pending.versions.filter((one) => one.content.leaf)
    const version = this.certificates.add(
      name,
      { leaf, contentType, exportable },
      { ...request, attributes: { exp: whole(leaf.validTo), nbf: whole(leaf.validFrom), ...request.attributes } },
    )
    const mirrored: VersionOptions = { id: version.id, attributes: { ...version.attributes }, managed: true }
    const value = exportable && isPem === (contentType === pemType) && !request.password ? request.value : undefined
    this.secrets.add(name, { value: value ?? encode(material, contentType, exportable), contentType }, mirrored)
    this.keys.add(name, { jwk: publicJwk(leaf) }, mirrored)
    return version
  }

  /** A certificate whose issuer has not answered yet: no `cer`, no secret, no key. An import of that name completes it. */
  setPendingCertificate(name: string): Version<CertificateContent> {
    checkName(name)
    return this.certificates.add(
      name,
      { contentType: pkcs12Type, exportable: true },
      { attributes: { enabled: false } },
    )
  }

  /** Changes attributes; a certificate's are mirrored in its secret and key, as the service does. */
  update(
    collection: Collection,
    name: string,
    attributes: Partial<Attributes>,
    id?: string,
    tags?: Record<string, string>,
  ) {
    const found = this[collection].update(name, attributes, id, tags)
    if (found && collection === 'certificates') {
      this.secrets.update(name, attributes, found.version.id)
      this.keys.update(name, attributes, found.version.id)
    }
    return found !== undefined
  }

  delete(collection: Collection, name: string): boolean {
    return this.#withItsOwn(collection, (one) => this[one].delete(name))
  }

  recover(collection: Collection, name: string): boolean {
    return this.#withItsOwn(collection, (one) => this[one].recover(name))
  }

  purge(collection: Collection, name: string): boolean {
    return this.#withItsOwn(collection, (one) => this[one].purge(name))
  }

  /** A certificate goes and comes with its secret and key. */
  #withItsOwn(collection: Collection, act: (one: Collection) => boolean): boolean {
    const done = act(collection)
    if (done && collection === 'certificates') {
      act('secrets')
      act('keys')
    }
    return done
  }
}

/** SHA-1 of the certificate, base64url: the service's `x5t`. */
export const thumbprint = (certificate: X509Certificate) =>
  createHash('sha1').update(certificate.raw).digest('base64url')

export const badParameter = (message: string) => new VaultError(400, 'BadParameter', message)

function checkName(name: string): void {
  if (!nameRule.test(name)) throw badParameter(`The name ${JSON.stringify(name)} does not match ${nameRule.source}.`)
}

function readMaterial({ value, password }: CertificateImport): Material {
  try {
    return value.includes('-----BEGIN') ? readPem(value) : readPkcs12(Buffer.from(value, 'base64'), password ?? '')
  } catch (error) {
    throw badParameter(`The certificate cannot be read: ${String(error)}`)
  }
}

function encode({ key, chain }: Material, contentType: string, exportable: boolean): string {
  const material = { ...(exportable && key && { key }), chain }
  if (contentType === pemType) return writePem(material)
  if (key?.asymmetricKeyType !== 'rsa') throw badParameter('The emulator re-encodes PKCS#12 for RSA keys only.')
  return writePkcs12(material).toString('base64')
}

const whole = (date: string) => Math.floor(Date.parse(date) / 1000)
const strip = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
