import t from 'tap'
import { needs } from './needs.ts'

void t.test('needs: a test without its tool is skipped with a reason, or runs and fails', async (t) => {
  t.strictSame(needs('promtool', true, {}), {})
  t.strictSame(needs('promtool', false, {}), { skip: 'promtool: not on this machine' })
  t.strictSame(needs('promtool', false, { NO_SKIPS: '1' }), {})
})
