// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { CYCLONEDX } from './cyclonedx.ts';
import { LINK } from './link.ts';
import { OPENVEX } from './openvex.ts';
import { FaultList, type PredicateFault } from './predicate-fault.ts';
import { filledText, object, text, type Shape } from './shape.ts';
import { SLSA_PROVENANCE_V02, SLSA_PROVENANCE_V1 } from './slsa-provenance.ts';
import { SPDX } from './spdx.ts';
import { TEST_RESULT } from './test-result.ts';
import { VERIFICATION_SUMMARY } from './verification-summary.ts';
import { VULNERABILITY_SCAN } from './vulnerability-scan.ts';

const CUSTOM: Shape = object({ required: { Data: text(), Timestamp: filledText } });

/** The kinds that are known, by how their URI is spelt: some end in the version of the document. */
const KNOWN: readonly (readonly [pattern: RegExp, shape: Shape])[] = [
  [/^https:\/\/slsa\.dev\/provenance\/v0\.2$/, SLSA_PROVENANCE_V02],
  [/^https:\/\/slsa\.dev\/provenance\/v1(?:\.\d+)?$/, SLSA_PROVENANCE_V1],
  [/^https:\/\/slsa\.dev\/verification_summary\/v1(?:\.\d+)?$/, VERIFICATION_SUMMARY],
  [/^https:\/\/spdx\.dev\/Document(?:\/v[0-9.]+)?$/, SPDX],
  [/^https:\/\/cyclonedx\.org\/bom(?:\/v[0-9.]+)?$/, CYCLONEDX],
  [/^https:\/\/cosign\.sigstore\.dev\/attestation\/vuln\/v1$/, VULNERABILITY_SCAN],
  [/^https:\/\/cosign\.sigstore\.dev\/attestation\/v1$/, CUSTOM],
  [/^https:\/\/openvex\.dev\/ns(?:\/v[0-9.]+)?$/, OPENVEX],
  [/^https:\/\/in-toto\.io\/(?:Link\/v1|Link\/v0\.2|attestation\/link\/v0\.\d+)$/, LINK],
  [/^https:\/\/in-toto\.io\/attestation\/test-result\/v0\.\d+$/, TEST_RESULT],
];

/**
 * What is wrong with a predicate by the schema of its kind: the first 20 faults, none where all is well. What is said of a kind that is not
 * known cannot be wrong. Members beyond the schema are no fault.
 *
 * @example checkPredicate('https://slsa.dev/provenance/v1', {})[0]?.at // 'buildDefinition'
 */
export function checkPredicate(predicateType: string, predicate: Json | undefined): readonly PredicateFault[] {
  const shape = KNOWN.find(([pattern]) => pattern.test(predicateType))?.[1];
  const list = new FaultList();
  if (shape === undefined) return list.faults;
  if (predicate === undefined) list.add('predicate-member-missing', 'predicate', 'nothing', 'a predicate');
  else shape(predicate, '', list);
  return list.faults;
}

/** A fault in one line. */
export function describeFault({ code, at, found, expected }: PredicateFault): string {
  return `${at} is ${found}, expected ${expected} [${code}]`;
}
