// SPDX-License-Identifier: Apache-2.0
import { sealExpectation } from '../../image/index.ts';
import type { Artifact, Bundle, SealCheck, SealExpectation } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { openBlob, type Blob, type BlobDigest } from '../file/read-blob.ts';
import { readBlobSeal, type BlobSeal } from '../flags/blob-seal.ts';
import { BLOB_VERIFY_FLAGS } from '../flags/blob-verify.ts';
import { loadSigners, type LoadedSigners } from '../flags/expected-signers.ts';
import { identityAsked } from '../flags/identity.ts';
import type { TrustOptions } from '../flags/trust.ts';
import { codesOfCheck, reportBlob, type BlobCheck } from '../output/blob-verdict.ts';
import { judgeByLatest } from '../verdict/judge-by-latest.ts';

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
    const ask = (options?: TrustOptions): Promise<LoadedSigners> => expectedSigners(context, flags, options);
    const expected = await ask();
    const seal = await readBlobSeal(context, flags, name);
    const { asked, judged } = await judgeByLatest(expected, {
      ask,
      judge: ({ signers }) => checkBlob(blob, seal, sealExpectation(signers)),
      codesOf: ({ check }) => codesOfCheck(check),
    });
    const { artifact, check } = judged;
    return reportBlob(context, { name, artifact, seal, asked, check: withoutAttestation(check) });
  },
});

function expectedSigners(context: CommandContext, flags: Flags, options?: TrustOptions): Promise<LoadedSigners> {
  if (flags.key.length > 0 && !identityAsked(flags) && flags.certificate !== undefined)
    throw new CliError('usage', '--key and --certificate both say whose signature it is: give one of them');
  return loadSigners(context, flags, options);
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
function withoutAttestation(check: SealCheck): BlobCheck {
  if (check.kind === 'rejected' || check.content.kind === 'bytes') return check;
  const { predicateType } = check.content.statement;
  if (predicateType === SIGN) return check;
  const found = `an attestation of type ${predicateType}`;
  return { kind: 'rejected', rejection: { code: 'predicate-type-mismatch', found, expected: 'a signature' } };
}

const SIGN = 'https://sigstore.dev/cosign/sign/v1';
