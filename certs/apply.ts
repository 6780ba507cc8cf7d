import type { ClusterCertificates, ClusterView } from './store.ts'
import type { Pki } from './pki.ts'
import type { Action } from './rotation.ts'
import type { Lifetimes } from './secret-state.ts'
import { encodeBundle, encodeSecret, withAuthorities, withRecords } from './secret.ts'
import { type SecretState } from './secret-state.ts'
import type { Authority } from './x509.ts'

/** An action in the cluster; `serve` is applied in this process. */
export type Step = Exclude<Action, { type: 'serve' }>

export interface StepContext {
  cluster: ClusterCertificates
  /** the view that the step was decided on */
  view: ClusterView
  secret: SecretState
  names: readonly string[]
  lifetimes: Lifetimes
  now: number
  pki: Pki
}

/** Applies one step to the cluster. Resolves to false, without having written anything, if something changed since the view was read. */
export async function applyAction(step: Step, context: StepContext): Promise<boolean> {
  const { cluster, view, now, lifetimes } = context
  if (step.type === 'publish-bundle') {
    const configuration = view.configurations.find(({ id }) => id === step.configuration)
    return configuration ? cluster.writeBundle(configuration, encodeBundle(step.bundle), step.segments) : false
  }
  if (!view.secret) return false
  const next = withRecords(await nextSecret(step, context), now, lifetimes)
  return cluster.writeSecret(view.secret, { ...encodeSecret(next) })
}

async function nextSecret(step: Exclude<Step, { type: 'publish-bundle' }>, context: StepContext): Promise<SecretState> {
  const { secret, pki, now, lifetimes } = context
  switch (step.type) {
    case 'create-authority': {
      const signer = await pki.createAuthority({ now, lifetimeMs: lifetimes.authorityMs })
      const leaf = step.leaf ?? (await issueLeaf(signer, context))
      const segments = [pki.createSegment(), ...step.keepSegments]
      return withAuthorities({ ...secret, signer, leaf, segments }, [signer.authority, ...step.keep])
    }
    case 'adopt-authorities':
      return withAuthorities(secret, [...secret.authorities, ...step.authorities])
    case 'adopt-segments':
    case 'drop-segments':
      return { ...secret, segments: step.segments }
    case 'restore-leaf':
      return { ...secret, leaf: step.leaf }
    case 'issue-leaf':
      if (!secret.signer) throw new Error('no authority to issue from')
      return { ...secret, leaf: await issueLeaf(secret.signer, context) }
    case 'drop-authorities':
      return withAuthorities(
        secret,
        secret.authorities.filter(({ id }) => step.authorities.every((dropped) => dropped.id !== id)),
      )
  }
}

function issueLeaf(signer: { authority: Authority; key: string }, { pki, names, now, lifetimes }: StepContext) {
  return pki.issueLeaf({ ...signer, names, now, lifetimeMs: lifetimes.leafMs })
}

/** Describes a step for the log. */
export function describeStep(step: Step): string {
  switch (step.type) {
    case 'create-authority':
      return `created a new authority: ${step.reason}`
    case 'adopt-authorities':
      return `keeping ${step.authorities.length} trusted authorities that the Secret did not contain`
    case 'restore-leaf':
      return 'wrote the certificate being served back into the Secret, which had lost it'
    case 'issue-leaf':
      return `issued a certificate: ${step.reason}`
    case 'publish-bundle':
      return `published ${step.bundle.length} authorities and the path segment in ${step.configuration}`
    case 'drop-authorities':
      return `removed ${step.authorities.length} authorities whose certificates have all expired`
    case 'adopt-segments':
      return 'keeping a path segment in use that the Secret did not contain'
    case 'drop-segments':
      return 'removed the path segments that no caller uses anymore'
  }
}
