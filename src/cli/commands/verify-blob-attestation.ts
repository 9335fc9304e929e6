// SPDX-License-Identifier: Apache-2.0
import { sealExpectation } from '../../image/index.ts';
import type { Artifact, SealCheck, Statement } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { openBlob } from '../file/read-blob.ts';
import { PREDICATE_TYPE_FLAG, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { demandedPredicateType } from '../flags/attested-content.ts';
import { ATTESTATION_SUFFIX, readBlobSeal, type BlobSeal } from '../flags/blob-seal.ts';
import { BLOB_VERIFY_FLAGS } from '../flags/blob-verify.ts';
import { loadExpectedSigners, type LoadedSigners } from '../flags/expected-signers.ts';
import { askedPolicies, PREDICATE_POLICY_FLAG, type AskedPolicies } from '../flags/predicate-policies.ts';
import type { TrustOptions } from '../flags/trust.ts';
import { codesOfCheck, reportBlob, type BlobRejection, type BlobCheck } from '../output/blob-verdict.ts';
import { warnOfFaults } from '../output/predicate-faults.ts';
import { judgeByLatest } from '../verdict/judge-by-latest.ts';

const FLAGS = {
  ...BLOB_VERIFY_FLAGS,
  bundle: {
    ...BLOB_VERIFY_FLAGS.bundle,
    help: 'the attestation: a sigstore bundle, or the bundle of cosign 2; FILE.att.sigstore.json beside the blob unless told',
  },
  signature: { ...BLOB_VERIFY_FLAGS.signature, help: 'the envelope alone: a file with it, as cosign 2 writes it' },
  ...PREDICATE_TYPE_FLAG,
  ...STRICT_PREDICATE_FLAG,
  ...PREDICATE_POLICY_FLAG,
  digest: { kind: 'string', default: '', placeholder: 'HEX', help: 'digest of the blob, instead of the blob itself' },
  digestAlg: {
    kind: 'string',
    default: 'sha256',
    choices: ['sha256', 'sha384', 'sha512'],
    help: 'by which algorithm --digest is',
    hidden: true,
  },
  'check-claims': {
    kind: 'boolean',
    default: true,
    help: 'compare what the attestation is about with the blob; false needs no blob',
  },
  'insecure-ignore-tlog': {
    ...BLOB_VERIFY_FLAGS['insecure-ignore-tlog'],
    weakens:
      'Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the blob attestation.',
  },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla verify-blob-attestation`: who attested this of a file? */
export const command: Command = defineCommand({
  name: 'verify-blob-attestation',
  summary: 'Verify what was attested of a file, and by whom',
  description:
    'Takes a file, - for standard input, or its digest, and exits 0 if the attestation of that kind beside it is about the file and by whom one expects. The attestation is FILE.att.sigstore.json unless told. ' +
    'Exit codes: 0 trusted, 12 the attestation is not accepted or of another type, 13 it is by a key where an identity was asked, 2 could not find out.',
  usage: '[flags] --key KEY [--type TYPE] [BLOB]',
  arguments: { min: 0, max: 1, name: 'blob' },
  flags: FLAGS,
  examples: [
    'bulla verify-blob-attestation --key cosign.pub --type slsaprovenance1 release.tar.gz',
    'bulla verify-blob-attestation --key cosign.pub --type slsaprovenance1 --bundle release.att.sigstore.json --digest …',
  ],
  async run(context, [name = ''], flags) {
    const wanted = demandedPredicateType(flags);
    const known = await artifactOf(context, name, flags);
    const policies = await askedPolicies(context, flags);
    const ask = (options?: TrustOptions): Promise<LoadedSigners> =>
      loadExpectedSigners(context, flags, command.name, options);
    const expected = await ask();
    const beside = { suffix: ATTESTATION_SUFFIX, command: command.name };
    const seal = await readBlobSeal(context, flags, name, beside);
    const artifact = known ?? (await statedArtifact(seal));
    const { verifyBundle } = await import('../../trust/index.ts');
    const { asked, judged } = await judgeByLatest(expected, {
      ask,
      judge: ({ signers }) => verifyBundle(seal.bundle, artifact, sealExpectation(signers)),
      codesOf: codesOfCheck,
    });
    let attested: Attested;
    try {
      attested = await policed(await attestationOf(judged, wanted, flags), seal, policies);
    } finally {
      await policies.end();
    }
    policies.warn();
    const { check, statement } = attested;
    if (statement !== undefined) await warnOf(context, statement);
    const said = { ...attestedDocument(statement), policies: policies.names };
    return reportBlob(context, { name, artifact, seal, asked, check, checkClaims: flags['check-claims'] }, said);
  },
});

/** What it must be about; `undefined` where that does not matter. */
async function artifactOf(context: CommandContext, name: string, flags: Flags): Promise<Artifact | undefined> {
  if (flags.digest !== '') {
    if (name !== '') throw new CliError('usage', '--digest and a file both say what it is about: give one of them');
    return openBlob(context, `${flags.digestAlg}:${flags.digest.toLowerCase()}`).artifact('sha256');
  }
  if (!flags['check-claims']) {
    context.warn('--check-claims=false: an attestation of another file passes');
    return undefined;
  }
  if (name === '')
    throw new CliError('usage', 'what must it be about? Name a file, - for standard input, or its --digest');
  const artifact = await openBlob(context, name).artifact('sha256');
  return artifact;
}

/** Whatever the statement says that it is about. */
async function statedArtifact({ bundle: { content }, source }: BlobSeal): Promise<Artifact> {
  const { decodeStatement, statedArtifacts } = await import('../../trust/index.ts');
  const stated = content.kind === 'dsse' ? statedArtifacts(decodeStatement(content.envelope.payload))[0] : undefined;
  if (stated === undefined) throw new CliError('usage', `${source} has no statement about a digest that is known`);
  return stated;
}

interface Attested {
  readonly check: BlobCheck;
  /** of one that was accepted */
  readonly statement?: Statement;
}

async function attestationOf(check: SealCheck, wanted: string, flags: Flags): Promise<Attested> {
  if (check.kind === 'rejected') return { check };
  if (check.content.kind === 'bytes')
    return refused('predicate-type-mismatch', 'a signature of the file', `an attestation of type ${wanted}`);
  const { checkPredicate, describeFault } = await import('../../trust/index.ts');
  const { statement } = check.content;
  if (statement.predicateType !== wanted)
    return refused('predicate-type-mismatch', `an attestation of type ${statement.predicateType}`, wanted);
  const [fault] = checkPredicate(wanted, statement.predicate);
  if (fault !== undefined && flags['strict-predicate'])
    return refused('predicate-malformed', describeFault(fault), `a predicate of ${wanted}`);
  return { check, statement };
}

/** What is left of an attestation once policies have said what they make of it. */
async function policed(attested: Attested, { bundle }: BlobSeal, policies: AskedPolicies): Promise<Attested> {
  if (attested.statement === undefined || bundle.content.kind !== 'dsse') return attested;
  const why = await policies.refuses(bundle.content.envelope.payload);
  return why === undefined ? attested : refused(why.code, why.found, why.expected);
}

function refused(code: BlobRejection['code'], found: string, expected: string): Attested {
  return { check: { kind: 'rejected', rejection: { code, found, expected } } };
}

async function warnOf(context: CommandContext, { predicateType, predicate }: Statement): Promise<void> {
  const { checkPredicate } = await import('../../trust/index.ts');
  warnOfFaults(context, checkPredicate(predicateType, predicate));
}

function attestedDocument(statement: Statement | undefined): object {
  const { type, predicateType, predicate } = statement ?? { type: null, predicateType: null, predicate: null };
  return { predicateType, statement: { type, predicate: predicate ?? null } };
}
