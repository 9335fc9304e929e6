// SPDX-License-Identifier: Apache-2.0
import { logCheckOf, type Expectation, type Seal } from '../../image/index.ts';
import type { WitnessDemand } from '../../trust/index.ts';
import { goJson, type Json } from '../../wire/index.ts';
import { printable } from './printable.ts';
import { certifiedClaims, logEntryOf, timestampOf } from './seal-claims.ts';
import type { ImageVerdict } from './verdict-exit-code.ts';

/** The type that cosign 3 prints for a bundle's signature. */
const BUNDLE_TYPE = 'https://sigstore.dev/cosign/sign/v1';

/** What is said of the log, by what was done. The first is cosign's. */
const LOG = {
  verified: 'Existence of the claims in the transparency log was verified offline',
  ignored: 'log: not checked (--insecure-ignore-tlog)',
  'not-checked': 'log: not checked (no trusted root was given; only the registry was asked)',
} as const;

/**
 * What was checked, in cosign's words: pipelines read them. The line on the log says what is true here.
 *
 * @param policies that approved of it, as they were typed
 */
export function cosignHeader(
  { image }: Pick<ImageVerdict, 'image'>,
  { annotations, checkClaims, signers }: Expectation,
  policies: readonly string[] = [],
): string {
  const log = logCheckOf(signers);
  const byIdentity = signers.kind === 'identities';
  const checks = [
    ...(Object.keys(annotations ?? {}).length > 0 && checkClaims !== false
      ? ['The specified annotations were verified.']
      : []),
    ...(checkClaims === false ? [] : ['The cosign claims were validated']),
    ...(log === 'verified' ? [LOG[log]] : []),
    ...witnessed(signers.evidence?.witnesses),
    ...(signers.evidence?.signedTimestamps === true ? ['The signed timestamps were verified'] : []),
    byIdentity
      ? 'The code-signing certificate was verified using trusted certificate authority certificates'
      : 'The signatures were verified against the specified public key',
    ...(policies.length === 0
      ? []
      : [`The statement was validated against policies: ${policies.map(printable).join(', ')}`]),
    ...(log === 'verified' ? [] : [LOG[log]]),
    ...(byIdentity && signers.evidence.ignoreScts === true
      ? ['certificate log: not checked (--insecure-ignore-sct)']
      : []),
  ];
  return `\nVerification for ${image} --\nThe following checks were performed on each of these signatures:\n${checks.map((check) => `  - ${check}\n`).join('')}`;
}

function witnessed(demand: WitnessDemand | undefined): readonly string[] {
  if (demand === undefined) return [];
  const { keys, threshold } = demand;
  return [`What the log said was cosigned by at least ${threshold} of ${keys.length} witnesses`];
}

/** Who sealed, where what goes to stdout does not say it: lines that cosign writes to stderr with `-o text`. */
export function cosignSigners(verdict: ImageVerdict): string {
  return sealsOf(verdict)
    .flatMap(({ signer }) => {
      if (signer.kind === 'key') return [];
      const { subject, claims } = signer.identity;
      const lines = [`Certificate subject: ${printable(subject)}\n`];
      return claims.issuer === undefined ? lines : [...lines, `Certificate issuer URL: ${printable(claims.issuer)}\n`];
    })
    .join('');
}

/** `-o json`: a line break, then one array of all accepted seals. */
export function cosignElements(verdict: ImageVerdict): string {
  return `\n[${sealsOf(verdict)
    .map((seal) => goJson(elementOf(verdict, seal, optionalOf(seal))))
    .join(',')}]\n`;
}

/** `-o text`: one payload a line. */
export function cosignText(verdict: ImageVerdict): string {
  return sealsOf(verdict)
    .map(
      (seal) =>
        `${seal.payload === undefined ? goJson(elementOf(verdict, seal, seal.annotations)) : new TextDecoder().decode(seal.payload)}\n`,
    )
    .join('');
}

function sealsOf({ verdict }: ImageVerdict): readonly Seal[] {
  return verdict.kind === 'trusted' ? verdict.seals : [];
}

type Optional = Readonly<Record<string, Json>>;

/** What the signer said, and over it what was certified: nobody's annotation can name another subject. */
function optionalOf(seal: Seal): Optional {
  const logEntry = logEntryOf(seal);
  const timestamp = timestampOf(seal);
  return {
    ...seal.annotations,
    ...certifiedClaims(seal),
    ...(logEntry === undefined ? {} : { Bundle: logEntry }),
    ...(timestamp === undefined ? {} : { RFC3161Timestamp: timestamp }),
  };
}

function elementOf({ image, verdict }: ImageVerdict, seal: Seal, optional: Optional): Json {
  const sorted = Object.fromEntries(Object.entries(optional).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  if (seal.payload !== undefined) {
    const element = JSON.parse(new TextDecoder().decode(seal.payload)) as { readonly [member: string]: Json };
    return Object.keys(sorted).length === 0 ? element : { ...element, optional: sorted };
  }
  return {
    critical: {
      identity: { 'docker-reference': image },
      image: { 'docker-manifest-digest': verdict.digest ?? '' },
      type: BUNDLE_TYPE,
    },
    optional: sorted,
  };
}
