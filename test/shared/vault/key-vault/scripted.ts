/** A scripted vault that ends with the test. */
import { type Test } from 'tap'
import { startScriptedServer, type Script } from '../../../support/scripted-server.ts'

export const scripted = async (t: Test, script: Script, options?: Parameters<typeof startScriptedServer>[1]) => {
  const server = await startScriptedServer(script, options)
  t.teardown(() => server.close())
  return server
}
