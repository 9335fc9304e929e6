// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { Bundle } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';
import { replaceFiles } from '../file/replace-files.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';
import { printable } from '../output/printable.ts';

/** A part of what was made for a file. */
export interface BlobPart {
  /** as it is called on stderr */
  readonly what: string;
  /** where it goes, if anywhere */
  readonly file: string | undefined;
  /** `undefined` where nothing of the kind was made */
  readonly bytes: () => Uint8Array | undefined | Promise<Uint8Array>;
}

/** What was made for a file, and where its parts go. */
export interface MadeBlobSeal {
  readonly bundle: Bundle;
  readonly plan: SigningPlan;
  readonly places: Readonly<Record<'bundle' | 'certificate' | 'timestamp', string | undefined>>;
  /** as cosign 2 keeps it */
  readonly legacy: boolean;
  /** parts that only this kind has */
  readonly own: readonly BlobPart[];
  /** false writes the certificate as PEM, and not as base64 of it */
  readonly b64?: boolean;
}

/**
 * Writes the parts of what was made, all or none.
 *
 * @returns a line for each that was written, for people
 * @throws CliError `file-unwritable`
 */
export async function writeBlobParts(context: Pick<CommandContext, 'cwd'>, made: MadeBlobSeal): Promise<string> {
  const written: { readonly what: string; readonly file: string; readonly bytes: Uint8Array }[] = [];
  for (const { what, file, bytes } of partsOf(made)) {
    const content = file === undefined ? undefined : await bytes();
    if (file !== undefined && content !== undefined) written.push({ what, file, bytes: content });
  }
  replaceFiles(written.map(({ file, bytes }) => ({ path: resolve(context.cwd, file), bytes, mode: 0o644 })));
  return written.map(({ what, file }) => `Wrote ${what} to file ${printable(file)}\n`).join('');
}

function partsOf({ bundle, plan, places, legacy, own, b64 = true }: MadeBlobSeal): readonly BlobPart[] {
  const { certificate } = plan;
  const [stamp] = bundle.timestamps;
  return [
    { what: 'bundle', file: places.bundle, bytes: () => bundleFile(bundle, legacy, plan) },
    ...own,
    {
      what: 'certificate',
      file: places.certificate,
      bytes: () => (certificate === undefined ? undefined : encoded(leafCertificate(certificate), b64)),
    },
    {
      what: 'timestamp',
      file: places.timestamp,
      bytes: () => (stamp === undefined ? undefined : timestampFile(stamp)),
    },
  ];
}

/** Bytes as cosign 2 writes them: in base64, or as they are. */
export function encoded(bytes: Uint8Array, b64: boolean): Uint8Array {
  return b64 ? new TextEncoder().encode(encodeBase64(bytes)) : bytes;
}

// The bundle of cosign 2 has no place for a timestamp.
async function bundleFile(bundle: Bundle, legacy: boolean, { signer }: SigningPlan): Promise<Uint8Array> {
  const { encodeBundle, encodeCosignBundle } = await import('../../trust/index.ts');
  return legacy ? encodeCosignBundle({ ...bundle, timestamps: [] }, signer.publicKey) : encodeBundle(bundle);
}

// Out of PEM with those above it.
function leafCertificate(pem: string): Uint8Array {
  const end = '-----END CERTIFICATE-----\n';
  const at = pem.indexOf(end);
  return new TextEncoder().encode(at === -1 ? pem : pem.slice(0, at + end.length));
}

// As cosign 2 keeps it, in a file of its own.
function timestampFile(timestamp: Uint8Array): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ SignedRFC3161Timestamp: encodeBase64(timestamp) }));
}
