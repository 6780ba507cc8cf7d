import t from 'tap'
import { ClassReadings } from '../../../../webhook/plan/secret-provider-class/readings.ts'

const classOf = (objects: number, comment = '') => ({
  provider: 'azure',
  parameters: {
    keyvaultName: 'my-kv',
    objects: `array:\n${Array.from({ length: objects }, (_, index) => `  - |\n    objectName: o${index}\n    objectType: secret\n`).join('')}${comment}`,
  },
})

/** Reads one class. */
async function read(readings: ClassReadings, version: string | undefined, spec: unknown = classOf(1)) {
  const found = (await readings.read(new Map([['kv', { spec, ...(version === undefined ? {} : { version }) }]]))).get(
    'kv',
  )
  if (typeof found !== 'object' || found.reading === undefined) throw new Error('the class was not read')
  return found.reading
}

/** Which of some versions are still known: a class that is known is not read again. */
async function known(readings: ClassReadings, before: Map<string, unknown>): Promise<string[]> {
  const kept: string[] = []
  for (const [version, reading] of [...before].reverse()) {
    if ((await read(readings, version)) !== reading) break
    kept.push(version)
  }
  return kept
}

void t.test('class readings: a class is read once in each version', async (t) => {
  const readings = new ClassReadings()
  const first = await read(readings, 'uid 1')
  t.equal(await read(readings, 'uid 1'), first)
  t.not(await read(readings, 'uid 2'), first, 'another resource version')
  t.not(await read(readings, 'other 1'), first, 'another uid')
  t.not(await read(readings, undefined), await read(readings, undefined), 'a class without a version')
  t.equal((await readings.read(new Map([['gone', 'absent']]))).get('gone'), 'absent')
})

void t.test(
  'class readings: the most recently used ones are kept, up to a number of objects and messages',
  async (t) => {
    const readings = new ClassReadings({ entries: 12, bytes: Infinity })
    const before = new Map<string, unknown>()
    // Each has three objects and counts for four.
    for (const version of ['1', '2', '3', '4']) before.set(version, await read(readings, version, classOf(3)))
    t.strictSame(await known(readings, before), ['4', '3', '2'])
    t.equal((await read(readings, '5', classOf(20))).objects?.length, 20, 'more than is kept is read')
    t.not(await read(readings, '4'), before.get('4'), 'and is the only one then, and forgotten')
  },
)

void t.test('class readings: the most recently used ones are kept, up to a number of bytes', async (t) => {
  const readings = new ClassReadings({ entries: Infinity, bytes: 40_000 })
  const before = new Map<string, unknown>()
  const large = classOf(1, `# ${'x'.repeat(11_000)}`)
  for (const version of ['1', '2', '3', '4']) before.set(version, await read(readings, version, large))
  await read(readings, '2', large)
  await read(readings, '5', large)
  t.equal(await read(readings, '2'), before.get('2'), 'a class that was used meanwhile')
  t.equal(await read(readings, '4'), before.get('4'))
  t.not(await read(readings, '1'), before.get('1'))
  t.not(await read(readings, '3'), before.get('3'))
})

void t.test('class readings: messages count as bytes', async (t) => {
  const readings = new ClassReadings({ entries: Infinity, bytes: 10_500 })
  const wrong = {
    provider: 'azure',
    parameters: Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`parameter${index}`, ''])),
  }
  const first = await read(readings, '1', wrong)
  t.ok(first.warnings.length >= 30)
  t.not(await read(readings, '1', wrong), first)
})
