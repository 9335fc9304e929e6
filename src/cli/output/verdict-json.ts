// SPDX-License-Identifier: Apache-2.0
import {
  logCheckOf,
  type Expectation,
  type ExpectedSigners,
  type LogCheck,
  type Rejection,
  type Seal,
} from '../../image/index.ts';
import type { Json } from '../../wire/index.ts';
import { trustDocument, type TrustSource } from './trust-origin.ts';
import { exitCodeOfVerdict, exitCodeOfVerdicts, type ImageVerdict } from './verdict-exit-code.ts';

/** What became of the log, in words. */
export type LogWord = 'verified' | 'ignored' | 'not checked';

const LOG: Readonly<Record<LogCheck, LogWord>> = {
  verified: 'verified',
  ignored: 'ignored',
  'not-checked': 'not checked',
};

/** What becomes of the log where these signers are expected. */
export function logWordOf(signers: ExpectedSigners): LogWord {
  return LOG[logCheckOf(signers)];
}

/**
 * What `verify --json` and `verify-attestation --json` write. The shape is documented in docs/cli.md and kept.
 *
 * @param describe writes a seal
 */
export function verdictDocument<S extends Seal>(
  verdicts: readonly ImageVerdict<S>[],
  warnings: readonly string[],
  { signers }: Pick<Expectation, 'signers'>,
  origin?: TrustSource,
  describe: (seal: S) => object = sealDocument,
): object {
  const log = logWordOf(signers);
  return {
    exitCode: exitCodeOfVerdicts(verdicts),
    images: verdicts.map((verdict) => imageDocument(verdict, log, describe)),
    trust: trustDocument(origin),
    warnings,
  };
}

function imageDocument<S extends Seal>(
  { image, repository, verdict }: ImageVerdict<S>,
  log: string,
  describe: (seal: S) => object,
): object {
  return {
    image,
    repository,
    outcome: verdict.kind,
    digest: verdict.digest ?? null,
    ...(verdict.kind === 'refused' ? { reason: verdict.reason } : {}),
    ...(verdict.kind === 'undecided' ? { cause: { code: verdict.cause.code, message: verdict.cause.message } } : {}),
    exitCode: exitCodeOfVerdict(verdict),
    log,
    seals: verdict.kind === 'trusted' ? verdict.seals.map(describe) : [],
    rejected: verdict.rejected.map(rejectionDocument),
    nearest: verdict.kind === 'refused' && verdict.nearest !== undefined ? rejectionDocument(verdict.nearest) : null,
    places: verdict.places,
    weakened: verdict.weakened,
  };
}

/** A seal that was accepted. */
export function sealDocument(seal: Seal): object {
  return {
    format: seal.format,
    place: seal.place,
    signer: signerDocument(seal.signer),
    scheme: seal.scheme,
    log: LOG[seal.log],
    ...(seal.evidence === undefined ? {} : evidenceDocument(seal.evidence)),
    annotations: seal.annotations satisfies Readonly<Record<string, Json>>,
    ...(seal.dockerReference === undefined ? {} : { dockerReference: seal.dockerReference }),
  };
}

/** Who sealed: a key or an identity. */
export function signerDocument(signer: Seal['signer']): object {
  if (signer.kind === 'key') return { kind: 'key', algorithm: signer.key.algorithm, hint: signer.key.hint };
  const { subject, claims } = signer.identity;
  return { kind: 'identity', subject, issuer: claims.issuer ?? null, claims };
}

/** What logs and clocks said. */
export function evidenceDocument({ logEntries, timestamps }: NonNullable<Seal['evidence']>): object {
  return {
    logEntries: logEntries.map(({ log, index, integratedTime, witnesses, cosignatureLines }) => ({
      log: log.baseUrl,
      logId: Buffer.from(log.logId).toString('base64'),
      index,
      integratedTime: integratedTime?.toISOString() ?? null,
      witnesses: witnesses.map(({ name, time }) => ({ name, time: time.toISOString() })),
      cosignatureLines,
    })),
    timestamps: timestamps.map(({ authority, time }) => ({
      authority: authority.uri ?? null,
      time: time.toISOString(),
    })),
  };
}

function rejectionDocument(rejection: Rejection): object {
  return {
    format: rejection.format,
    place: rejection.place,
    code: rejection.code,
    found: rejection.found,
    expected: rejection.expected,
  };
}
