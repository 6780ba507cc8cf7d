import js from '@eslint/js'
import tseslint from 'typescript-eslint'

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
    },
  },
  {
    // shared/ is what both programs agree on; the programs know nothing of each other.
    files: ['shared/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/webhook/**', '**/sidecar/**', '**/certs/**'] }] },
  },
  {
    files: ['webhook/**/*.ts', 'certs/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/sidecar/**', '@azure/*'] }] },
  },
  {
    files: ['sidecar/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['**/webhook/**', '**/certs/**', '@kubernetes/*', 'fastify'] }],
    },
  },
  {
    // Only the programs' entries touch the process: everything else is given its environment, clock and exit.
    files: ['{shared,webhook,sidecar,certs}/**/*.ts'],
    ignores: ['**/main.ts', '{sidecar,webhook}/first-of-all.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read the environment in main.ts and pass it in.' },
        { object: 'process', property: 'exit', message: 'Exit in main.ts only.' },
      ],
    },
  },
)
