// SPDX-License-Identifier: Apache-2.0
import type { TrustedRoot } from '../../trust/index.ts';
import type { SourcePlace } from './fault.ts';

/** Whom one believes, by a name that policies refer to: a document of kind TrustRoot. */
export interface TrustRootDocument {
  readonly kind: 'TrustRoot';
  readonly name: string;
  readonly place: SourcePlace;
  readonly root: TrustRootForm;
}

/** The forms of a TrustRoot. Of TUF repositories the caller makes a trusted root: this room opens no socket. */
export type TrustRootForm =
  | { readonly kind: 'keys'; readonly trustedRoot: TrustedRoot }
  | {
      readonly kind: 'remote';
      readonly mirror: string;
      /** the first `root.json` */
      readonly root: Uint8Array;
      readonly targets: string;
      readonly target: string;
    }
  | {
      readonly kind: 'repository';
      readonly root: Uint8Array;
      /** a tar archive, compressed with gzip */
      readonly mirror: Uint8Array;
      readonly targets: string;
      readonly target: string;
    };
