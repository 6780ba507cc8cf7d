// For the SDK, which makes request ids by the global of that name: that one loads all of Web Crypto.
export { default as crypto } from 'node:crypto'
