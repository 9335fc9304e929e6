// SPDX-License-Identifier: Apache-2.0
import type { Artifact, Bundle, SealCheck, SealExpectation } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { describeArtifact, openBlob, type Blob, type BlobDigest } from '../file/read-blob.ts';
import { readBlobSeal, type BlobSeal } from '../flags/blob-seal.ts';
import { BLOB_VERIFY_FLAGS } from '../flags/blob-verify.ts';
import { identityAsked, loadIdentities } from '../flags/identity.ts';
import { loadPublicKeys } from '../flags/key.ts';
import { loadEvidenceDemand, type DemandedEvidence, type TrustOptions } from '../flags/trust.ts';
import { blobDocument, codesOfCheck, exitCodeOfBlob, explainBlob, type BlobVerdict } from '../output/blob-verdict.ts';
import { writeJson } from '../output/json-document.ts';
import { mayBeOutdated, trustDocument } from '../output/trust-origin.ts';

const FLAGS = {
  ...BLOB_VERIFY_FLAGS,
  'insecure-ignore-tlog': {
    ...BLOB_VERIFY_FLAGS['insecure-ignore-tlog'],
    weakens:
      'Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the blob.',
  },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla verify-blob`: who sealed this file? */
export const command: Command = defineCommand({
  name: 'verify-blob',
  summary: 'Verify who sealed a file',
  description:
    'Takes a file, - for standard input, or its digest, and exits 0 if the seal beside it is by whom one expects. The seal is FILE.sigstore.json unless told. ' +
    'Exit codes: 0 trusted, 12 the seal is not accepted, 13 it is by a key where an identity was asked, 2 could not find out.',
  usage: '[flags] --key KEY BLOB',
  arguments: { min: 1, max: 1, name: 'blob' },
  flags: FLAGS,
  examples: [
    'bulla verify-blob --key cosign.pub release.tar.gz',
    'bulla verify-blob --key cosign.pub --bundle release.sigstore.json sha256:…',
    'bulla verify-blob --certificate-identity dev@example.com --certificate-oidc-issuer https://idp.example.com --trusted-root root.json release.tar.gz',
    'bulla verify-blob --key cosign.pub --signature release.sig - < release.tar.gz',
  ],
  async run(context, [name = ''], flags) {
    const blob = openBlob(context, name);
    let asked = await expectationOf(context, flags);
    const seal = await readBlobSeal(context, flags, name);
    let checked = await checkBlob(blob, seal, asked.expectation);
    if (mayBeOutdated(asked.demanded?.origin, codesOfCheck(checked.check))) {
      asked = await expectationOf(context, flags, { fresh: true });
      checked = await checkBlob(blob, seal, asked.expectation);
    }
    const { artifact, check } = checked;
    const verdict: BlobVerdict = {
      blob: name,
      digest: describeArtifact(artifact),
      source: seal.source,
      format: seal.format,
      log: logOf(asked.demanded),
      check: withoutAttestation(check),
      weakened: weakenings(asked.demanded, flags),
    };
    if (context.json)
      writeJson(context, blobDocument(verdict, context.warnings, trustDocument(asked.demanded?.origin)));
    else {
      if (asked.demanded?.origin !== undefined) context.stderr(`trust: ${asked.demanded.origin.text}\n`);
      context.stderr(explainBlob(context, verdict));
    }
    return exitCodeOfBlob(verdict);
  },
});

interface Asked {
  readonly expectation: SealExpectation;
  readonly demanded: DemandedEvidence | undefined;
}

async function expectationOf(context: CommandContext, flags: Flags, options: TrustOptions = {}): Promise<Asked> {
  const identity = identityAsked(flags);
  if (flags.key.length > 0 && identity)
    throw new CliError(
      'usage',
      'exactly one of: key reference (--key) or certificate identity (--certificate-identity or --certificate-identity-regexp), must be provided',
    );
  if (flags.key.length > 0) {
    if (flags.certificate !== undefined)
      throw new CliError('usage', '--key and --certificate both say whose signature it is: give one of them');
    const keys = await loadPublicKeys(context, flags.key);
    const demanded = await loadEvidenceDemand(context, flags, 'keys', options);
    return { expectation: { keys, ...demanded?.evidence }, demanded };
  }
  const identities = await loadIdentities(context, flags);
  const demanded = await loadEvidenceDemand(context, flags, 'identities', options);
  if (demanded === undefined) throw new CliError('usage', 'verification of an identity needs a trusted root');
  return { expectation: { identities, ...demanded.evidence }, demanded };
}

interface Checked {
  readonly artifact: Artifact;
  readonly check: SealCheck;
}

async function checkBlob(blob: Blob, { bundle }: BlobSeal, expectation: SealExpectation): Promise<Checked> {
  const { verifyBundle } = await import('../../trust/index.ts');
  const artifact = await blob.artifact(digestOf(bundle));
  const check = await verifyBundle(bundle, artifact, expectation);
  // A large file was only hashed, and Ed25519 signs what is hashed.
  if (check.kind === 'rejected' && check.rejection.code === 'artifact-missing' && artifact.kind === 'digest') {
    const bytes = await blob.bytes();
    if (bytes !== undefined) {
      const whole: Artifact = { kind: 'bytes', bytes };
      return { artifact: whole, check: await verifyBundle(bundle, whole, expectation) };
    }
  }
  return { artifact, check };
}

/** The digest that the seal of a large file would be verified by. */
function digestOf({ content }: Bundle): BlobDigest {
  const named = content.kind === 'message' ? content.digest?.algorithm : undefined;
  return named === 'sha384' || named === 'sha512' ? named : 'sha256';
}

/** An attestation about a file is no signature of it: an SBOM beside it says nothing of the file's being released. */
function withoutAttestation(check: SealCheck): BlobVerdict['check'] {
  if (check.kind === 'rejected' || check.content.kind === 'bytes') return check;
  const { predicateType } = check.content.statement;
  if (predicateType === SIGN) return check;
  const found = `an attestation of type ${predicateType}`;
  return { kind: 'rejected', rejection: { code: 'predicate-type-mismatch', found, expected: 'a signature' } };
}

const SIGN = 'https://sigstore.dev/cosign/sign/v1';

function logOf(demanded: DemandedEvidence | undefined): BlobVerdict['log'] {
  if (demanded === undefined) return 'not checked';
  return demanded.evidence.ignoreLog === true ? 'ignored' : 'verified';
}

function weakenings(demanded: DemandedEvidence | undefined, flags: Flags): readonly string[] {
  const ignoredScts = demanded?.evidence.ignoreScts === true && flags.key.length === 0;
  return [
    ...(demanded?.evidence.ignoreLog === true ? ['log-ignored'] : []),
    ...(ignoredScts ? ['certificate-log-ignored'] : []),
  ];
}
