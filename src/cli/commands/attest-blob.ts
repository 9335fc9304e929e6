// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path';
import type { AttestedContent } from '../../image/index.ts';
import type { Artifact, Bundle } from '../../trust/index.ts';
import { attestationPlaces, type AttestationPlaces } from '../attestation/blob-attestation-places.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { describeArtifact, openBlob } from '../file/read-blob.ts';
import {
  ATTEST_FLAGS,
  ATTESTED_CONTENT_FLAGS,
  PREDICATE_TYPE_FLAG,
  STRICT_PREDICATE_FLAG,
} from '../flags/attestation.ts';
import { loadAttestedContent } from '../flags/attested-content.ts';
import { OUTPUT_CERTIFICATE_FLAG } from '../flags/blob-seal.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { signingTime } from '../flags/seal-format.ts';
import { planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { writeJson } from '../output/json-document.ts';
import { logOf, madeEvidenceDocument, readEvidence, sealerDocument, witnessText } from '../output/made-evidence.ts';
import { printable } from '../output/printable.ts';
import { writeBlobParts } from '../seal/blob-parts.ts';
import { confirmSeal } from '../seal/confirm-seal.ts';

const FLAGS = {
  ...KEY_FLAG,
  ...ATTESTED_CONTENT_FLAGS,
  ...PREDICATE_TYPE_FLAG,
  ...STRICT_PREDICATE_FLAG,
  hash: { kind: 'string', default: '', placeholder: 'HEX', help: 'SHA-256 of the blob, instead of reading it' },
  bundle: {
    kind: 'string',
    placeholder: 'FILE',
    help: `write the attestation to FILE; BLOB.att.sigstore.json unless told`,
  },
  'output-attestation': { kind: 'string', placeholder: 'FILE', help: 'write the statement alone to FILE too' },
  'output-signature': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the envelope alone to FILE too, as cosign 2 does',
  },
  ...OUTPUT_CERTIFICATE_FLAG,
  'rfc3161-timestamp-bundle': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the timestamp to FILE too, as cosign 2 does',
    hidden: true,
  },
  'new-bundle-format': {
    kind: 'boolean',
    default: true,
    help: 'false writes what cosign 2 reads: its own bundle to --bundle, and the envelope to stdout',
  },
  'rekor-entry-type': ATTEST_FLAGS['rekor-entry-type'],
  ...SIGNING_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla attest-blob`: seals what one says of a file. */
export const command: Command = defineCommand({
  name: 'attest-blob',
  summary: 'Attest something of a file',
  description:
    'Makes an in-toto statement of a predicate and the digest of a file, signs it, verifies it, and writes it to BLOB.att.sigstore.json beside the file, or to --bundle. ' +
    'A whole statement (--statement) needs no file, and is checked against it where one is named. Key or identity as with sign.',
  usage: '[flags] [--key KEY] --predicate FILE [--type TYPE] [BLOB]',
  arguments: { min: 0, max: 1, name: 'blob' },
  flags: FLAGS,
  examples: [
    'bulla attest-blob --key cosign.key --type slsaprovenance1 --predicate provenance.json release.tar.gz',
    'bulla attest-blob --key cosign.key --statement statement.json --bundle release.att.sigstore.json',
  ],
  async run(context, [name], flags, given) {
    const places = attestationPlaces(context, name, flags);
    const now = signingTime(context);
    const artifact = await artifactOf(context, name, flags);
    const content = await loadAttestedContent(context, flags, given, now);
    const statement = await statementOf(content, name, artifact);
    const plan = await planSigning(context, flags, {
      legacy: !flags['new-bundle-format'],
      given,
      stdinTaken: [name, flags.predicate, flags.statement].includes('-'),
    });
    const bundle = await attest(context, statement, plan, flags);
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    // in one line, as cosign 2 writes it
    const envelope = envelopeLine(bundle.content, 'legacy');
    const own = [
      { what: 'statement', file: places.statement, bytes: () => statement.payload },
      { what: 'envelope', file: places.envelope, bytes: () => text(envelope.trimEnd()) },
    ];
    const wrote = await writeBlobParts(context, { bundle, plan, places, legacy: !flags['new-bundle-format'], own });
    await report(context, { name, statement, bundle, plan, places, wrote });
    if (places.stdout && !context.json) context.stdout(envelope);
    return EXIT.ok;
  },
});

async function artifactOf(
  context: CommandContext,
  name: string | undefined,
  flags: Flags,
): Promise<Artifact | undefined> {
  if (flags.hash !== '') {
    const hex = flags.hash.replace(/^sha256:/, '').toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(hex))
      throw new CliError('usage', `--hash '${flags.hash.slice(0, 80)}' is no SHA-256: expected 64 digits of hex`);
    return { kind: 'digest', algorithm: 'sha256', hex };
  }
  if (name === undefined) {
    if (flags.statement === undefined)
      throw new CliError('usage', 'what is attested? Name a file, - for standard input, or its --hash');
    return undefined;
  }
  if (name !== '-') context.stderr(`Using payload from: ${printable(name)}\n`);
  const artifact = await openBlob(context, name).artifact('sha256');
  if (artifact.kind === 'digest') return artifact;
  return { kind: 'digest', algorithm: 'sha256', hex: describeArtifact(artifact).slice('sha256:'.length) };
}

/** What is signed, and what it is verified against afterwards. */
interface BlobStatement {
  readonly payload: Uint8Array;
  readonly predicateType: string;
  readonly artifact: Artifact;
}

async function statementOf(
  content: AttestedContent,
  name: string | undefined,
  artifact: Artifact | undefined,
): Promise<BlobStatement> {
  const { decodeStatement, encodeStatement, statedArtifacts } = await import('../../trust/index.ts');
  if (content.kind === 'statement') {
    const statement = decodeStatement(content.payload);
    const stated = statedArtifacts(statement);
    const subject = artifact ?? stated[0];
    if (subject === undefined)
      throw new CliError('usage', 'the statement names no subject by a digest that is known: sha256, sha384 or sha512');
    const about = stated.some((one) => describeArtifact(one) === describeArtifact(subject));
    if (!about)
      throw new CliError(
        'usage',
        `the statement has no subject with the digest ${describeArtifact(subject)}: it is about something else`,
      );
    return { payload: content.payload, predicateType: statement.predicateType, artifact: subject };
  }
  if (artifact?.kind !== 'digest') throw new CliError('usage', 'what is attested? Name a file, or its --hash');
  const { algorithm, hex } = artifact;
  const named = name === undefined || name === '-' ? {} : { name: basename(name) };
  const { predicateType, predicate, statementVersion: version } = content;
  const payload = encodeStatement({
    ...(version === undefined ? {} : { version }),
    subjects: [{ ...named, digest: { algorithm, hex } }],
    predicateType,
    predicate,
  });
  return { payload, predicateType, artifact };
}

async function attest(
  context: CommandContext,
  { payload, artifact }: BlobStatement,
  plan: SigningPlan,
  flags: Flags,
): Promise<Bundle> {
  const { signBundle } = await import('../../trust/index.ts');
  if (!context.json) context.stderr('Signing artifact...\n');
  const bundle = await signBundle(payload, plan.signer, plan.witnesses, {
    kept: flags['new-bundle-format'] ? 'bundle' : 'envelope',
  });
  await confirmSeal(bundle, artifact, plan, 'the attestation that was made');
  return bundle;
}

/** What was made, and where it went. */
interface Made {
  readonly name: string | undefined;
  readonly statement: BlobStatement;
  readonly bundle: Bundle;
  readonly plan: SigningPlan;
  readonly places: AttestationPlaces;
  /** for people: which files it went to */
  readonly wrote: string;
}

async function report(
  context: CommandContext,
  { name, statement, bundle, plan: { signer, identity }, places, wrote }: Made,
): Promise<void> {
  const evidence = await readEvidence(bundle);
  if (!context.json) {
    context.stderr(witnessText([evidence], identity));
    context.stderr(wrote);
    return;
  }
  writeJson(context, {
    exitCode: EXIT.ok,
    signer: sealerDocument(signer, identity),
    blob: name ?? null,
    digest: describeArtifact(statement.artifact),
    predicateType: statement.predicateType,
    bundle: places.bundle ?? null,
    log: logOf([evidence]),
    ...madeEvidenceDocument(evidence),
    warnings: context.warnings,
  });
}
