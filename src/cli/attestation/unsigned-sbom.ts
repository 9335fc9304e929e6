// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  spdx: ['json', 'text'],
  cyclonedx: ['json', 'xml'],
  syft: ['json'],
};

/**
 * The media type under which cosign keeps an SBOM of this kind. What its name or beginning shows to be JSON is JSON.
 *
 * @param input `--input-format`; empty where it was not given
 * @throws CliError `usage`, in cosign's words
 */
export function sbomMediaType(
  type: string,
  input: string,
  sbom: { readonly name: string; readonly bytes: Uint8Array },
): string {
  const expected = EXPECTED[type];
  if (expected === undefined) throw new CliError('usage', `unknown SBOM type: ${type}, expected (spdx|cyclonedx|syft)`);
  if (input !== '' && !expected.includes(input))
    throw new CliError('usage', `invalid SBOM input format: "${input}", expected (${expected.join('|')})`);
  const json = input === 'json' || sbom.name.endsWith('.json') || (input === '' && beginsAsJson(sbom.bytes));
  if (type === 'syft') return 'application/vnd.syft+json';
  if (type === 'cyclonedx') return `application/vnd.cyclonedx+${json ? 'json' : 'xml'}`;
  return json ? 'text/spdx+json' : 'text/spdx';
}

/** What is said wherever an SBOM is handled that nobody has signed. */
export const UNSIGNED_SBOM =
  'this SBOM is not signed: whoever may write to the repository may exchange it. Attest it instead: bulla sbom attach, or bulla sbom --attest';

function beginsAsJson(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().startsWith('{');
}
