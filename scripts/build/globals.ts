// The SDK creates request IDs with the global of this name. The original loads all of Web Crypto.
export { default as crypto } from 'node:crypto'
