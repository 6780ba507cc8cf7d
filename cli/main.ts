#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import packageJson from '../package.json' with { type: 'json' }
import { runProgram } from './program.ts'

await runProgram(process.argv.slice(2), {
  version: packageJson.version,
  read: (file) => (file === '-' ? text(process.stdin) : readFile(file, 'utf8')),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  exit(code) {
    process.exitCode = code
  },
})
