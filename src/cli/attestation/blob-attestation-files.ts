// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { Bundle } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import type { NewFile } from '../file/replace-files.ts';
import { ATTESTATION_SUFFIX } from '../flags/blob-seal.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { checkWritable } from '../output/seal-files.ts';
import { bundleFile, leafCertificate, timestampFile } from '../seal/blob-parts.ts';

/** The flags that say where the attestation of a blob goes. */
interface Flags {
  readonly bundle: string | undefined;
  readonly 'output-attestation': string | undefined;
  readonly 'output-signature': string | undefined;
  readonly 'output-certificate': string | undefined;
  readonly 'rfc3161-timestamp-bundle': string | undefined;
  readonly 'new-bundle-format': boolean;
}

/** Where the parts go. */
export interface AttestationPlaces {
  readonly bundle: string | undefined;
  readonly statement: string | undefined;
  readonly envelope: string | undefined;
  readonly certificate: string | undefined;
  readonly timestamp: string | undefined;
  /** the envelope goes to stdout */
  readonly stdout: boolean;
}

/** Refuses what could not be written, before anything is sealed. @throws CliError `usage`, `file-unwritable` */
export function attestationPlaces(context: CommandContext, name: string | undefined, flags: Flags): AttestationPlaces {
  const set = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  const legacy = !flags['new-bundle-format'];
  const nameless = name === undefined || name === '-' || /^sha(?:256|384|512):/.test(name);
  const beside = nameless || legacy ? undefined : `${name}${ATTESTATION_SUFFIX}`;
  const envelope = set(flags['output-signature']);
  const bundle = set(flags.bundle) ?? (envelope === undefined ? beside : undefined);
  if (bundle === undefined && envelope === undefined && !legacy)
    throw new CliError('usage', 'must specify --bundle or --output-signature: no file is named to lay it beside');
  const places = {
    bundle,
    envelope,
    statement: set(flags['output-attestation']),
    certificate: set(flags['output-certificate']),
    timestamp: set(flags['rfc3161-timestamp-bundle']),
  };
  for (const file of Object.values(places)) if (file !== undefined) checkWritable(file, resolve(context.cwd, file));
  return { ...places, stdout: legacy && envelope === undefined };
}

/** The files of an attestation that was made, to be written all or none. */
export async function attestationFiles(
  context: CommandContext,
  places: AttestationPlaces,
  statement: Uint8Array,
  made: Bundle,
  { signer, certificate }: SigningPlan,
  flags: Flags,
): Promise<readonly NewFile[]> {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const [stamp] = made.timestamps;
  const format = flags['new-bundle-format'] ? 'sigstore' : 'cosign-2';
  const bundle = places.bundle === undefined ? undefined : await bundleFile(made, format, signer);
  const parts: readonly (readonly [file: string | undefined, bytes: () => Uint8Array | undefined])[] = [
    [places.bundle, () => bundle],
    [places.statement, () => statement],
    [places.envelope, () => text(envelopeOf(made).trimEnd())],
    [
      places.certificate,
      () => (certificate === undefined ? undefined : text(encodeBase64(leafCertificate(certificate)))),
    ],
    [places.timestamp, () => (stamp === undefined ? undefined : timestampFile(stamp))],
  ];
  return parts.flatMap(([file, bytesOf]) => {
    const bytes = file === undefined ? undefined : bytesOf();
    return file === undefined || bytes === undefined ? [] : [{ path: resolve(context.cwd, file), bytes, mode: 0o644 }];
  });
}

/** The envelope in one line, as cosign 2 writes it. */
export function envelopeOf({ content }: Bundle): string {
  return envelopeLine(content, 'legacy');
}
