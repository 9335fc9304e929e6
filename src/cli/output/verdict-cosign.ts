// SPDX-License-Identifier: Apache-2.0
import type { Expectation, Seal } from '../../image/index.ts';
import { goJson, type Json } from '../../wire/index.ts';
import type { ImageVerdict } from './verdict-exit-code.ts';

/** The type that cosign 3 prints for a bundle's signature. */
const BUNDLE_TYPE = 'https://sigstore.dev/cosign/sign/v1';

/**
 * What was checked, in cosign's words: pipelines read them. The line on the log says what is true here.
 */
export function cosignHeader({ image }: ImageVerdict, expectation: Expectation): string {
  const checks = [
    ...(Object.keys(expectation.annotations ?? {}).length > 0 && expectation.checkClaims !== false
      ? ['The specified annotations were verified.']
      : []),
    ...(expectation.checkClaims === false ? [] : ['The cosign claims were validated']),
    'The signatures were verified against the specified public key',
    'log: not checked (no trusted root was given; only the registry was asked)',
  ];
  return `\nVerification for ${image} --\nThe following checks were performed on each of these signatures:\n${checks.map((check) => `  - ${check}\n`).join('')}`;
}

/** `-o json`: a line break, then one array of all accepted seals. */
export function cosignElements(verdict: ImageVerdict): string {
  return `\n[${sealsOf(verdict)
    .map((seal) => goJson(elementOf(verdict, seal)))
    .join(',')}]\n`;
}

/** `-o text`: one payload a line. */
export function cosignText(verdict: ImageVerdict): string {
  return sealsOf(verdict)
    .map(
      (seal) =>
        `${seal.payload === undefined ? goJson(elementOf(verdict, seal)) : new TextDecoder().decode(seal.payload)}\n`,
    )
    .join('');
}

function sealsOf({ verdict }: ImageVerdict): readonly Seal[] {
  return verdict.kind === 'trusted' ? verdict.seals : [];
}

function elementOf({ image, verdict }: ImageVerdict, seal: Seal): Json {
  if (seal.payload !== undefined) return JSON.parse(new TextDecoder().decode(seal.payload)) as Json;
  const sorted = Object.fromEntries(Object.entries(seal.annotations).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return {
    critical: {
      identity: { 'docker-reference': image },
      image: { 'docker-manifest-digest': verdict.digest ?? '' },
      type: BUNDLE_TYPE,
    },
    optional: sorted,
  };
}
