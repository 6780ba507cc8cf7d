import js from '@eslint/js'
import tseslint from 'typescript-eslint'

const programs = ['**/webhook/**', '**/sidecar/**', '**/certs/**', '**/cli/**', '**/coordinator/**', '**/sync/**']
const libraries = ['@azure/*', '@kubernetes/*', 'fastify']

/** Forbids imports by pattern. If several borders apply to a file, the last one counts. */
const border = (files, patterns) => ({ files, rules: { 'no-restricted-imports': ['error', { patterns }] } })

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tap/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: { globals: { Buffer: 'readonly', btoa: 'readonly', console: 'readonly', process: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/require-await': 'off',
      eqeqeq: ['error', 'always'],
      'max-lines': ['error', 300],
      // Split what does not fit on a line, or move it into a function next to its table.
      'no-warning-comments': ['error', { terms: ['prettier-ignore'], location: 'anywhere' }],
    },
  },
  // Which libraries and programs a folder may use. For folders of this repository, see .dependency-cruiser.mjs.
  border(['shared/**/*.ts'], programs),
  border(
    ['shared/*.ts', 'shared/{objects,settings,clouds,render,detect,coordination}/**/*.ts'],
    [...programs, ...libraries],
  ),
  border(['shared/kubernetes/**/*.ts'], [...programs, '@azure/*', 'fastify']),
  border(['shared/vault/**/*.ts'], [...programs, '@kubernetes/*', 'fastify']),
  border(
    ['webhook/**/*.ts', 'certs/**/*.ts'],
    ['**/sidecar/**', '**/sync/**', '**/shared/{vault,detect}/**', '@azure/*'],
  ),
  border(['cli/**/*.ts'], ['**/sidecar/**', '**/certs/**', '**/shared/{vault,detect}/**', '@azure/*', 'fastify']),
  border(['cli/check/**/*.ts'], ['**/sidecar/**', '**/shared/{vault,detect}/**', '@azure/*', 'fastify']),
  border(['sync/**/*.ts'], ['**/sidecar/**', '**/certs/**', '**/cli/**', '**/coordinator/**', 'fastify']),
  border(['coordinator/**/*.ts'], ['**/sidecar/**', '**/cli/**', 'fastify']),
  border(
    ['sidecar/**/*.ts'],
    [
      '**/webhook/**',
      '**/certs/**',
      '**/coordinator/**',
      '**/sync/**',
      '**/shared/kubernetes/**',
      '@kubernetes/*',
      'fastify',
    ],
  ),
  {
    // Only the entry files of the programs use `process`. Everything else receives environment, clock and exit as arguments.
    files: ['{shared,webhook,sidecar,certs,cli,coordinator,sync}/**/*.ts'],
    ignores: ['**/main.ts', '{sidecar,webhook}/early-signals.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read the environment in main.ts and pass it in.' },
        { object: 'process', property: 'exit', message: 'Exit in main.ts only.' },
      ],
    },
  },
)
