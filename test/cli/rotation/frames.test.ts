import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createFrameReader } from '../../../cli/rotation/frames.ts'
import { frame } from './server.ts'

const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

void t.test('frames: messages are read as they were sent, however the stream is cut', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fc.array(fc.array(payload, { minLength: 1, maxLength: 3 })), sizes, (messages, cuts) => {
      const bytes = Buffer.concat(
        messages.flatMap((parts) =>
          parts.flatMap((part, index) => [
            frame(index === 0 ? 2 : 0, part, index === parts.length - 1),
            frame(10, Buffer.from('between')),
          ]),
        ),
      )
      const read = createFrameReader(1_000_000)
      const seen: Buffer[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = cuts[turn % cuts.length] ?? 1
        for (const message of read(bytes.subarray(at, at + size))) seen.push(message.payload)
        at += size
      }
      deepStrictEqual(
        seen.map((one) => one.toString('hex')),
        messages.map((parts) => Buffer.concat(parts).toString('hex')),
      )
    }),
  )
})

void t.test('frames: lengths of two and eight bytes, control frames, and the bound', async (t) => {
  for (const length of [125, 126, 65_535, 65_536]) {
    const [message] = createFrameReader(100_000)(frame(2, Buffer.alloc(length, 7)))
    t.strictSame([message?.kind, message?.payload.length], ['data', length])
  }
  const kinds = createFrameReader(100)(Buffer.concat([frame(9, Buffer.from('a')), frame(8, Buffer.alloc(0))]))
  t.strictSame(
    kinds.map(({ kind }) => kind),
    ['ping', 'close'],
  )
  t.throws(() => createFrameReader(100)(frame(2, Buffer.alloc(101)).subarray(0, 10)), /more than 100 bytes/)
  t.throws(() => createFrameReader(100)(Buffer.from([0x82, 0x81])), /masks/)
})
