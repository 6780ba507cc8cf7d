/** A message of a WebSocket, or a control frame. {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2} */
export interface Message {
  kind: 'data' | 'close' | 'ping'
  payload: Buffer
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/**
 * Reads the frames of a server, which are not masked. The returned function takes a chunk and returns the messages that it completes.
 * @param limit bytes of all messages together
 * @throws Error for a stream that exceeds the limit or breaks the protocol
 */
export function createFrameReader(limit: number): (chunk: Buffer) => Message[] {
  let rest = Buffer.alloc(0)
  let fragments: Buffer[] = []
  let bytes = 0

  function next(): Message | 'none' | undefined {
    const header = headerOf(rest)
    if (!header) return undefined
    const { opcode, isLast, start, length } = header
    if (bytes + length > limit) throw new Error(`the answer has more than ${limit} bytes`)
    if (rest.length < start + length) return undefined
    const payload = rest.subarray(start, start + length)
    rest = rest.subarray(start + length)
    bytes += length
    if (opcode === opcodes.close) return { kind: 'close', payload }
    if (opcode === opcodes.ping) return { kind: 'ping', payload }
    if (opcode === opcodes.pong) return 'none'
    fragments.push(payload)
    if (!isLast) return 'none'
    const whole = Buffer.concat(fragments)
    fragments = []
    return { kind: 'data', payload: whole }
  }

  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const messages: Message[] = []
    for (let message = next(); message !== undefined; message = next()) if (message !== 'none') messages.push(message)
    return messages
  }
}

function headerOf(bytes: Buffer) {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return undefined
  if ((second & 0x80) !== 0) throw new Error('the server masks its frames')
  const short = second & 0x7f
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0
  const start = 2 + extra
  if (bytes.length < start) return undefined
  const length = extra === 2 ? bytes.readUInt16BE(2) : extra === 8 ? Number(bytes.readBigUInt64BE(2)) : short
  return { opcode: first & 0x0f, isLast: (first & 0x80) !== 0, start, length }
}

/** A frame that answers a ping; a client's frames are masked, here with zeros. */
export const pong = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0x80 | opcodes.pong, 0x80 | payload.length, 0, 0, 0, 0]), payload])
