import { BlockList, isIP } from 'node:net'

/** An entry of NO_PROXY: whether a host, lower case and without brackets, is reached directly at a port. */
type Entry = (host: string, port: string) => boolean

/**
 * Reads NO_PROXY as curl and Go do: a domain includes its subdomains, with or without a leading dot or `*.`; `*`
 * matches everything; IP addresses and CIDR blocks are allowed; every entry except `*` and a block may end with a port.
 * {@link https://curl.se/docs/manpage.html#--noproxy} {@link https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config}
 * @returns whether a host is reached directly, and the parts of the text that are invalid
 */
export function readNoProxy(text: string): { bypasses: (host: string, port: string) => boolean; unknown: string[] } {
  const texts = text.split(/[,\s]+/).filter((entry) => entry !== '')
  const entries = texts.map(readEntry)
  return {
    bypasses: (host, port) => {
      const plain = host
        .toLowerCase()
        .replace(/^\[|\]$/g, '')
        .replace(/\.$/, '')
      return entries.some((entry) => entry?.(plain, port))
    },
    unknown: texts.filter((_, index) => entries[index] === undefined),
  }
}

function readEntry(text: string): Entry | undefined {
  if (text === '*') return () => true
  const [, address, length] = /^(.+)\/(\d+)$/.exec(text) ?? []
  if (address !== undefined) return readBlock(address, Number(length))
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = (bracketed ?? plain ?? (isIP(text) ? text : '')).toLowerCase().replace(/\.$/, '')
  const isAt = (other: string): boolean => port === undefined || port === other
  if (isIP(host)) {
    const only = blockOf(host, isIP(host) === 6 ? 128 : 32)
    return (other, at) => isAt(at) && covers(only, other)
  }
  const domain = host.replace(/^\*?\./, '')
  if (!/^[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?$/.test(domain)) return undefined
  return (other, at) => isAt(at) && (other === domain || other.endsWith(`.${domain}`))
}

function readBlock(address: string, length: number): Entry | undefined {
  const version = isIP(address)
  if (version === 0 || length > (version === 6 ? 128 : 32)) return undefined
  const block = blockOf(address, length)
  return (host) => covers(block, host)
}

function blockOf(address: string, length: number): BlockList {
  const block = new BlockList()
  block.addSubnet(address, length, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return block
}

const covers = (block: BlockList, host: string): boolean =>
  isIP(host) !== 0 && block.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')
