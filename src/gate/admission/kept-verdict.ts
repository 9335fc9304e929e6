// SPDX-License-Identifier: Apache-2.0
import { digestHex, type Digest } from '../../oci/index.ts';
import type { ImageVerdict } from './ports.ts';
import type { PassingRead } from './recorded-repository.ts';

/** What is kept of a judged image: there may be a hundred thousand, so that it is written small. */
export interface KeptVerdict {
  /** what it has in common with most others */
  readonly shared: SharedVerdict;
  /** what is its own: the image's digest, then those of the seals that counted */
  readonly digests: string;
  /** what the registry said, which may be something else by now; see `encodeReads` */
  readonly reads: string;
  /** milliseconds since 1970: the first moment at which time alone could change it */
  readonly validUntil: number;
  /** a summary of it was kept, where that is possible, or is being kept */
  readonly summarized: boolean;
  /** by whose credentials the evidence was read last, or asked for again, and until when that is fresh enough */
  scope: string;
  freshUntil: number;
  /** the same of others, where there are any */
  others?: Map<string, number>;
}

/** A verdict without the digests in it. */
export type SharedVerdict = Omit<ImageVerdict, 'digest' | 'evidence'>;

/** credentials by which one verdict is known to be readable */
const MAX_SCOPES = 64;

/** The verdict that is kept. */
export function verdictOfKept({ shared, digests }: KeptVerdict): ImageVerdict {
  if (digests === '') return { ...shared, evidence: [] };
  const [digest, ...evidence] = digests.split(' ') as [Digest, ...Digest[]];
  return { ...shared, digest, evidence };
}

/** The digests of a verdict, as they are kept. What was decided by a digest always has one. */
export function digestsOf({ digest, evidence }: ImageVerdict): string {
  return digest === undefined ? '' : [digest, ...evidence].join(' ');
}

export function isFresh(kept: KeptVerdict, scope: string, now: number): boolean {
  return now < kept.validUntil && now < freshUntil(kept, scope);
}

/** Until when what these credentials have read is fresh; 0 where they have read nothing. */
export function freshUntil({ scope, freshUntil: until, others }: KeptVerdict, asking: string): number {
  return asking === scope ? until : (others?.get(asking) ?? 0);
}

/** These credentials have been answered. */
export function freshen(kept: KeptVerdict, scope: string, until: number): void {
  if (kept.scope !== scope) {
    kept.others ??= new Map();
    if (kept.others.size >= MAX_SCOPES) kept.others.clear();
    kept.others.set(kept.scope, kept.freshUntil);
    kept.others.delete(scope);
    kept.scope = scope;
  }
  kept.freshUntil = until;
}

/** These credentials were not answered: what others may read is no matter of theirs. */
export function spoil(kept: KeptVerdict, scope: string): void {
  if (kept.scope === scope) kept.freshUntil = 0;
  else kept.others?.delete(scope);
}

/**
 * Reads as one text, in which the digest that most of them are about stands once for all. Empty where they cannot be written so; then
 * the image is verified again.
 */
export function encodeReads(reads: readonly PassingRead[], digest: Digest): string {
  const hex = digestHex(digest);
  const isPlain = (text: string): boolean => !/[\s@]/.test(text);
  if (!reads.every((read) => [read.target, read.repository, ...read.pullSecrets].every(isPlain))) return '';
  return reads
    .map(({ repository, pullSecrets, method, target, answer }) =>
      [method, target.replace(hex, '@'), answer, repository, ...pullSecrets].join(' '),
    )
    .join('\n');
}

/** What `encodeReads` wrote. None of its parts has white space in it. */
export function decodeReads(text: string, digest: Digest): readonly PassingRead[] {
  if (text === '') return [];
  return text.split('\n').map((line) => {
    const [method = '', target = '', answer = '', repository = '', ...pullSecrets] = line.split(' ');
    const named = target.replace('@', digestHex(digest));
    return { method: method as PassingRead['method'], target: named, answer, repository, pullSecrets };
  });
}

/** Of what is its own; what holds it together is about as large. */
export function sizeOfKept({ shared, digests, reads }: KeptVerdict): number {
  // Of images that meet their policies the words are the same.
  const own = shared.code === 'met' ? 0 : 400 + 2 * shared.message.length;
  return 200 + digests.length + reads.length + own;
}

/** Values that many verdicts have in common, each held once. */
export class SharedValues {
  readonly #known: Map<string, SharedVerdict> = new Map();

  /** What a verdict has in common with others. */
  share({ outcome, code, message, policies, warnings, signers, ...more }: ImageVerdict): SharedVerdict {
    const { policyHash, nearest, cause, exception } = more;
    const verdict: SharedVerdict = {
      outcome,
      code,
      message,
      policies,
      warnings,
      signers,
      ...(policyHash === undefined ? {} : { policyHash }),
      ...(nearest === undefined ? {} : { nearest }),
      ...(cause === undefined ? {} : { cause }),
      ...(exception === undefined ? {} : { exception }),
    };
    // Each refusal has words of its own.
    if (verdict.outcome !== 'trusted') return verdict;
    const key = JSON.stringify(verdict);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_SHARED) this.#known.clear();
    this.#known.set(key, verdict);
    return verdict;
  }
}

const MAX_SHARED = 2000;
