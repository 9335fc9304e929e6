// SPDX-License-Identifier: Apache-2.0
import type { CiProvider } from './ci-provider.ts';

/** Somebody whose tokens say who asks. */
export type TokenIssuer = IssuerBasics & SubjectForm;

/** What every issuer has. */
export interface IssuerBasics {
  /** `iss` of its tokens; of many issuers their pattern, in which `*` stands for letters, digits, `-` and `_` */
  readonly url: string;
  readonly many: boolean;
  /** what `aud` of its tokens has */
  readonly audience: string;
  /** PEM of the roots by which alone it is recognised */
  readonly roots?: string;
}

/** What its tokens say of whom, and how that is certified. */
export type SubjectForm =
  /** `email`, which the issuer has verified */
  | {
      readonly type: 'email';
      readonly skipEmailVerification: boolean;
      /** the path to the claim that names who vouches, in place of the issuer itself */
      readonly issuerClaim?: readonly string[];
    }
  /** `sub` is a URL of one host */
  | { readonly type: 'uri'; readonly subjectDomain: URL }
  /** `sub` is a name without a domain */
  | { readonly type: 'username'; readonly subjectDomain: string }
  /** `sub` is a SPIFFE ID of one trust domain */
  | { readonly type: 'spiffe'; readonly trustDomain: string }
  /** a service account */
  | { readonly type: 'kubernetes' }
  /** what the claims of a build say */
  | { readonly type: 'ci-provider'; readonly provider: CiProvider }
  /** the issuer's URL and `sub` */
  | { readonly type: 'chainguard-identity' }
  /** the stack's own issuer: `email`, or else `sub`, which is a URI; and whatever it says of a build */
  | { readonly type: 'workload' };

/** The claim that a client signs to show that it holds its key. */
export function challengeClaim({ type }: TokenIssuer): 'email' | 'sub' {
  return type === 'email' || type === 'workload' ? 'email' : 'sub';
}
