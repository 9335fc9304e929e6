// SPDX-License-Identifier: Apache-2.0
import type { Bundle, Signer } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { printable } from '../output/printable.ts';

/** The bundle of a file: sigstore's, or that of cosign 2, which has no place for a timestamp. */
export async function bundleFile(bundle: Bundle, format: 'sigstore' | 'cosign-2', signer: Signer): Promise<Uint8Array> {
  const { encodeBundle, encodeCosignBundle } = await import('../../trust/index.ts');
  return format === 'sigstore'
    ? encodeBundle(bundle)
    : encodeCosignBundle({ ...bundle, timestamps: [] }, signer.publicKey);
}

/** The certificate of who sealed, out of PEM with those above it. */
export function leafCertificate(pem: string): Uint8Array {
  const end = '-----END CERTIFICATE-----\n';
  const at = pem.indexOf(end);
  return new TextEncoder().encode(at === -1 ? pem : pem.slice(0, at + end.length));
}

/** A timestamp as cosign 2 keeps it, in a file of its own. */
export function timestampFile(timestamp: Uint8Array): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ SignedRFC3161Timestamp: encodeBase64(timestamp) }));
}

/** A line for each part that was written, for people. @param parts what they are, and to which files they went, if to any */
export function wroteText(parts: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(parts)
    .map(([what, file]) => (file === undefined ? '' : `Wrote ${what} to file ${printable(file)}\n`))
    .join('');
}
