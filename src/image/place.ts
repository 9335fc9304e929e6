// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';

/** Where seals of an image can lie. Each is asked by name, so that a verdict can say which were read. */
export type PlaceName = 'referrers-api' | 'fallback-tag' | 'layout' | 'signature-tag' | 'attestation-tag';

/** One seal's place in a repository. */
export interface Place {
  readonly name: PlaceName;
  /** repository that holds it */
  readonly repository: string;
  /** manifest that carries it */
  readonly manifest: Digest;
  /** blob that is the bundle, or the legacy payload or envelope */
  readonly layer?: Digest;
  /** position among the layers of a legacy manifest */
  readonly index?: number;
}

/** What asking one place gave. */
export type PlaceReport =
  | { readonly name: PlaceName; readonly outcome: 'read'; readonly read: number; readonly of: number }
  | { readonly name: PlaceName; readonly outcome: 'absent' }
  | { readonly name: PlaceName; readonly outcome: 'not-asked' }
  | {
      readonly name: PlaceName;
      readonly outcome: 'failed';
      readonly read: number;
      readonly of?: number;
      readonly code: string;
      readonly message: string;
    };
