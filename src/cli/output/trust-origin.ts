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

/** Rejections that a newer trusted root may lift: somebody is unknown who may have joined since. */
const UNKNOWN: ReadonlySet<string> = new Set([
  'certificate-issuer-unknown',
  'sct-log-unknown',
  'log-unknown',
  'timestamp-signer-unknown',
]);

/** Whether it is worth asking for a newer trusted root than this one, after seals were rejected for these reasons. */
export function mayBeOutdated(source: TrustSource | undefined, codes: readonly string[]): boolean {
  return source?.kept === true && codes.some((code) => UNKNOWN.has(code));
}

/** The same in JSON; null where the command line or a variable named a file, or nothing was needed. */
export function trustDocument(source: TrustSource | undefined): object | null {
  return source === undefined ? null : { description: source.text, ...source.document };
}
