// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { ATTESTATION_SUFFIX, isNameless } from '../flags/blob-seal.ts';
import { checkWritable } from '../output/seal-files.ts';

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
  const beside = name === undefined || isNameless(name) || legacy ? undefined : `${name}${ATTESTATION_SUFFIX}`;
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
