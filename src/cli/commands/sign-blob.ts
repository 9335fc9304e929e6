// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { Artifact, KeyAlgorithm } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { describeArtifact, openBlob } from '../file/read-blob.ts';
import { BUNDLE_SUFFIX, OUTPUT_CERTIFICATE_FLAG } from '../flags/blob-seal.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { writeJson } from '../output/json-document.ts';
import {
  logOf,
  madeEvidenceDocument,
  readEvidence,
  sealerDocument,
  witnessText,
  type MadeEvidence,
} from '../output/made-evidence.ts';
import { printable } from '../output/printable.ts';
import { checkWritable } from '../output/seal-files.ts';
import { encoded, writeBlobParts } from '../seal/blob-parts.ts';
import { confirmSeal } from '../seal/confirm-seal.ts';

/** The names that cosign has for kinds of key. */
const ALGORITHMS: Readonly<Record<string, KeyAlgorithm>> = {
  'ecdsa-sha2-256-nistp256': 'ecdsa-p256',
  'ecdsa-sha2-384-nistp384': 'ecdsa-p384',
  'ecdsa-sha2-512-nistp521': 'ecdsa-p521',
  'ed25519-ph': 'ed25519',
  'rsa-sign-pkcs1-2048-sha256': 'rsa-2048',
  'rsa-sign-pkcs1-3072-sha256': 'rsa-3072',
  'rsa-sign-pkcs1-4096-sha256': 'rsa-4096',
};

const FLAGS = {
  ...KEY_FLAG,
  bundle: { kind: 'string', placeholder: 'FILE', help: 'write the seal to FILE; BLOB.sigstore.json unless told' },
  'output-signature': { kind: 'string', placeholder: 'FILE', help: 'write the signature alone to FILE too, in base64' },
  ...OUTPUT_CERTIFICATE_FLAG,
  b64: { kind: 'boolean', default: true, help: 'false writes both of these as they are: raw, and PEM', hidden: true },
  output: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the signature to FILE',
    hidden: true,
    deprecated: 'please use --output-signature',
  },
  'rfc3161-timestamp': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the timestamp to FILE too, as cosign 2 does',
    hidden: true,
  },
  'new-bundle-format': {
    kind: 'boolean',
    default: true,
    help: 'false writes what cosign 2 reads: its own bundle to --bundle, and the signature to stdout',
  },
  'signing-algorithm': {
    kind: 'string',
    choices: ['', ...Object.keys(ALGORITHMS)],
    default: '',
    placeholder: 'KIND',
    help: 'kind of the key that is made for an identity; ecdsa-sha2-256-nistp256 unless told',
  },
  ...SIGNING_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla sign-blob`: seals files. */
export const command: Command = defineCommand({
  name: 'sign-blob',
  summary: 'Seal files',
  description:
    'Seals each file, verifies the seal, and writes it to BLOB.sigstore.json beside the file, or to --bundle. - is standard input, and needs --bundle or --output-signature. ' +
    'Where neither is given the signature goes to stdout as well, in base64. Key or identity as with sign.',
  usage: '[flags] [--key KEY] BLOB...',
  arguments: { min: 1, name: 'blob' },
  flags: FLAGS,
  examples: [
    'bulla sign-blob --key cosign.key release.tar.gz',
    'bulla sign-blob --yes --signing-config signing_config.json --trusted-root trusted_root.json --bundle seal.json release.tar.gz',
  ],
  async run(context, names, flags, given) {
    const places = names.map((name) => placesOf(context, name, names.length, flags));
    const plan = await planSigning(context, flags, {
      legacy: !flags['new-bundle-format'],
      given,
      stdinTaken: names.includes('-'),
      ...algorithmOf(flags),
    });
    const sealed: Sealed[] = [];
    for (const [at, name] of names.entries()) {
      const place = places[at];
      if (place === undefined) continue;
      const one = await sealOne(context, name, place, flags, plan);
      if (!context.json) report(context, one, plan);
      sealed.push(one);
    }
    if (context.json) writeJson(context, documentOf(sealed, plan, context.warnings));
    return EXIT.ok;
  },
});

/** Where the parts of a seal go. */
interface Places {
  readonly bundle: string | undefined;
  readonly signature: string | undefined;
  readonly certificate: string | undefined;
  readonly timestamp: string | undefined;
  /** the signature goes to stdout */
  readonly stdout: boolean;
}

function placesOf(context: CommandContext, name: string, count: number, flags: Flags): Places {
  const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  const signature = given(flags['output-signature']) ?? given(flags.output);
  const bundle = given(flags.bundle);
  const certificate = given(flags['output-certificate']);
  const timestamp = given(flags['rfc3161-timestamp']);
  const legacy = !flags['new-bundle-format'];
  const named = Object.entries({
    bundle,
    'output-signature': signature,
    'output-certificate': certificate,
    'rfc3161-timestamp': timestamp,
  });
  for (const [flag, file] of named) {
    if (file === undefined) continue;
    if (count > 1)
      throw new CliError(
        'usage',
        `--${flag} names one file, and ${count} blobs are to be sealed: seal them one by one`,
      );
    checkWritable(file, resolve(context.cwd, file));
  }
  if (name === '-' && bundle === undefined && signature === undefined && !legacy)
    throw new CliError(
      'usage',
      'must specify --bundle or --output-signature: standard input has no name to lay a seal beside',
    );
  const beside = legacy || name === '-' || signature !== undefined ? undefined : `${name}${BUNDLE_SUFFIX}`;
  if (bundle === undefined && beside !== undefined) checkWritable(beside, resolve(context.cwd, beside));
  return {
    bundle: bundle ?? beside,
    signature,
    certificate,
    timestamp,
    stdout: signature === undefined && (legacy || bundle === undefined),
  };
}

function algorithmOf(flags: Flags): { readonly algorithm?: KeyAlgorithm } {
  const algorithm = ALGORITHMS[flags['signing-algorithm']];
  return algorithm === undefined ? {} : { algorithm };
}

interface Sealed {
  readonly name: string;
  readonly digest: string;
  readonly signature: Uint8Array;
  readonly evidence: MadeEvidence;
  readonly places: Places;
  /** for people: which files it went to */
  readonly wrote: string;
}

async function sealOne(
  context: CommandContext,
  name: string,
  places: Places,
  flags: Flags,
  plan: SigningPlan,
): Promise<Sealed> {
  const { signBlobBundle } = await import('../../trust/index.ts');
  const bytes = await openBlob(context, name).bytes();
  if (bytes === undefined)
    throw new CliError('usage', `${name.slice(0, 120)} is a digest: what is sealed must be there`);
  if (name !== '-' && !context.json) context.stderr(`Using payload from: ${printable(name)}\n`);
  const bundle = await signBlobBundle(bytes, plan.signer, plan.witnesses);
  const { content } = bundle;
  if (content.kind !== 'message')
    throw new CliError('seal-unverifiable', `the seal of ${name} is no signature over it`);
  const { signature } = content;
  const artifact: Artifact = { kind: 'bytes', bytes };
  await confirmSeal(bundle, artifact, plan, `the seal that was made for ${name}`);
  const legacy = !flags['new-bundle-format'];
  if (legacy && bundle.timestamps.length > 0 && places.timestamp === undefined)
    context.warn(
      'the timestamp of the seal is not kept: the format of cosign 2 has it in a file of its own, --rfc3161-timestamp FILE',
    );
  const { b64 } = flags;
  const own = [{ what: 'signature', file: places.signature, bytes: () => encoded(signature, b64) }];
  const wrote = await writeBlobParts(context, { bundle, plan, places, legacy, own, b64 });
  return { name, digest: describeArtifact(artifact), signature, evidence: await readEvidence(bundle), places, wrote };
}

function report(context: CommandContext, { evidence, signature, places, wrote }: Sealed, plan: SigningPlan): void {
  context.stderr(witnessText([evidence], plan.identity));
  context.stderr(wrote);
  if (places.stdout) context.stdout(`${encodeBase64(signature)}\n`);
}

function documentOf(sealed: readonly Sealed[], { signer, identity }: SigningPlan, warnings: readonly string[]): object {
  return {
    exitCode: EXIT.ok,
    signer: sealerDocument(signer, identity),
    blobs: sealed.map(({ name, digest, signature, evidence, places }) => ({
      blob: name,
      digest,
      signature: encodeBase64(signature),
      bundle: places.bundle ?? null,
      log: logOf([evidence]),
      ...madeEvidenceDocument(evidence),
    })),
    warnings,
  };
}
