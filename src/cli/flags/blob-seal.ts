// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  COSIGN_BUNDLE_MEDIA_TYPE,
  decodeBundle,
  decodeCosignBundle,
  decodeCosignSignature,
  decodeSignerMaterial,
  type Bundle,
  type KeyMaterial,
} from '../../trust/index.ts';
import { decodeBase64, isJsonObject, parseJson, WireError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

/** Where the seal of a blob lies: in one bundle, or in the files that cosign 2 writes. */
export const BLOB_SEAL_FLAGS = {
  bundle: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'the seal: a sigstore bundle, or the bundle of cosign 2; FILE.sigstore.json beside the blob unless told',
  },
  signature: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'the signature alone: a file with it, raw or in base64, or the base64 itself',
  },
  certificate: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'the certificate to --signature: PEM, or that in base64 as cosign writes it',
  },
  'rfc3161-timestamp': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'a timestamp of the signature: DER, or JSON as cosign writes it',
  },
} as const;

/** Where the certificate of who seals a blob goes. */
export const OUTPUT_CERTIFICATE_FLAG = {
  'output-certificate': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the certificate to FILE too, as cosign 2 does: base64 of PEM',
  },
} as const;

type Flags = FlagValues<typeof BLOB_SEAL_FLAGS>;

/** The seal of a blob, and where it was. */
export interface BlobSeal {
  /** as it is shown: the file that it was read from */
  readonly source: string;
  readonly format: 'bundle' | 'legacy';
  readonly bundle: Bundle;
}

/** what `sign-blob` writes beside a blob unless told */
export const BUNDLE_SUFFIX = '.sigstore.json';
/** what `attest-blob` writes beside a blob unless told */
export const ATTESTATION_SUFFIX = '.att.sigstore.json';

/** Where a seal lies unless told, and the command that reads it. */
export interface SealBeside {
  readonly suffix: string;
  readonly command: string;
}

const SIGNATURE: SealBeside = { suffix: BUNDLE_SUFFIX, command: 'verify-blob' };

const MAX_BUNDLE_BYTES = 128 * 1024 * 1024;
const MAX_PART_BYTES = 1024 * 1024;
/** The shortest signature, of Ed25519, is 64 octets; base64 of fewer is a misspelt file. */
const SHORTEST_SIGNATURE = 64;

/**
 * Reads the seal that flags name.
 *
 * @param blob as it was typed
 * @throws CliError `usage`, and as `readFile`; TrustError and WireError as the decoders do
 */
export async function readBlobSeal(
  context: CommandContext,
  flags: Flags,
  blob: string,
  beside: SealBeside = SIGNATURE,
): Promise<BlobSeal> {
  const { signature, certificate } = flags;
  const bundle = flags.bundle ?? (signature === undefined ? defaultBundle(context, blob, beside) : undefined);
  if (bundle !== undefined) {
    for (const [flag, value] of Object.entries({ signature, certificate }))
      if (value !== undefined)
        throw new CliError('usage', `--bundle holds the whole seal: leave --${flag} out, as the two may differ`);
    const seal = await readSealFile(context, bundle);
    return {
      ...seal,
      bundle: { ...seal.bundle, timestamps: [...seal.bundle.timestamps, ...(await timestamp(context, flags))] },
    };
  }
  if (signature === undefined) throw missing(context, blob, beside);
  const bytes = await readSignature(context, signature);
  const material: KeyMaterial =
    certificate === undefined
      ? { kind: 'public-key' }
      : decodeSignerMaterial(await readPart(context, certificate, 'certificate'), certificate);
  return {
    source: signature,
    format: 'legacy',
    bundle: {
      mediaType: COSIGN_BUNDLE_MEDIA_TYPE,
      material,
      content: decodeCosignSignature(bytes, signature),
      logEntries: [],
      timestamps: await timestamp(context, flags),
    },
  };
}

/**
 * Reads a file with a bundle: sigstore's, or that of cosign 2, which has no media type.
 *
 * @throws CliError as `readFile`; TrustError as `decodeBundle` and `decodeCosignBundle`; WireError
 */
export async function readSealFile(context: Pick<CommandContext, 'cwd'>, file: string): Promise<BlobSeal> {
  const bytes = await readFile(file, { cwd: context.cwd, what: 'bundle', maxBytes: MAX_BUNDLE_BYTES });
  const value = parseJson(bytes, { what: file, maxBytes: MAX_BUNDLE_BYTES });
  const legacy = isJsonObject(value) && Object.hasOwn(value, 'base64Signature') && !Object.hasOwn(value, 'mediaType');
  return legacy
    ? { source: file, format: 'legacy', bundle: decodeCosignBundle(bytes, file) }
    : { source: file, format: 'bundle', bundle: decodeBundle(bytes, file, { maxBytes: MAX_BUNDLE_BYTES }) };
}

/** Whether a blob is no file that something lies beside: standard input, or a digest. */
export function isNameless(blob: string): boolean {
  return blob === '' || blob === '-' || /^sha(?:256|384|512):/.test(blob);
}

function defaultBundle(context: CommandContext, blob: string, { suffix }: SealBeside): string | undefined {
  const name = `${blob}${suffix}`;
  return !isNameless(blob) && existsSync(resolve(context.cwd, name)) ? name : undefined;
}

function missing(context: CommandContext, blob: string, { suffix, command }: SealBeside): CliError {
  const sought = isNameless(blob) ? '' : `, and there is no ${blob}${suffix}`;
  return new CliError('usage', `no seal to verify: neither --bundle nor --signature was given${sought}`, {
    hint: `${context.program} ${command} --bundle FILE ${blob}`,
  });
}

async function readSignature(context: CommandContext, reference: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readPart(context, reference, 'signature', MAX_BUNDLE_BYTES);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'file-missing') throw error;
    const given = inBase64(reference);
    if (given === undefined || given.byteLength < SHORTEST_SIGNATURE) throw error;
    return given;
  }
  return inBase64(Buffer.from(bytes).toString('latin1').trim()) ?? bytes;
}

function inBase64(text: string): Uint8Array | undefined {
  try {
    return decodeBase64(text, 'the signature');
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

async function timestamp(context: CommandContext, flags: Flags): Promise<readonly Uint8Array[]> {
  const file = flags['rfc3161-timestamp'];
  if (file === undefined) return [];
  const bytes = await readPart(context, file, 'timestamp');
  if (bytes[0] === 0x30) return [bytes];
  const value = parseJson(bytes, { what: file, maxBytes: MAX_PART_BYTES, maxDepth: 4 });
  const text = isJsonObject(value) ? value['SignedRFC3161Timestamp'] : undefined;
  if (typeof text !== 'string')
    throw new CliError(
      'usage',
      `--rfc3161-timestamp ${file} is neither DER nor JSON with a text 'SignedRFC3161Timestamp'`,
    );
  return [decodeBase64(text, `'SignedRFC3161Timestamp' of ${file}`)];
}

async function readPart(
  context: CommandContext,
  file: string,
  what: string,
  maxBytes: number = MAX_PART_BYTES,
): Promise<Uint8Array> {
  return readFile(file, { cwd: context.cwd, what, maxBytes });
}
