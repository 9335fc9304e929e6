// SPDX-License-Identifier: Apache-2.0

/** Where a trusted root came from that nobody named on the command line. */
export interface TrustSource {
  /** for people: what it is and how old */
  readonly text: string;
  /** for machines */
  readonly document: object;
  /** it was fetched in an earlier run, so that a newer one may know more */
  readonly kept?: boolean;
}

/** Where a trusted root came from, in JSON; null where the command line or a variable named a file, or nothing was needed. */
export function trustDocument(source: TrustSource | undefined): object | null {
  return source === undefined ? null : { description: source.text, ...source.document };
}
