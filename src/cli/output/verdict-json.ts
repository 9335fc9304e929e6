// SPDX-License-Identifier: Apache-2.0
import { logCheckOf, type Expectation, type LogCheck, type Rejection, type Seal } from '../../image/index.ts';
import type { Json } from '../../wire/index.ts';
import { exitCodeOfVerdict, exitCodeOfVerdicts, type ImageVerdict } from './verdict-exit-code.ts';

const LOG: Readonly<Record<LogCheck, string>> = {
  verified: 'verified',
  ignored: 'ignored',
  'not-checked': 'not checked',
};

/** What `verify --json` writes. The shape is documented in docs/cli.md and kept. */
export function verdictDocument(
  verdicts: readonly ImageVerdict[],
  warnings: readonly string[],
  { signers }: Pick<Expectation, 'signers'>,
): object {
  const log = LOG[logCheckOf(signers)];
  return {
    exitCode: exitCodeOfVerdicts(verdicts),
    images: verdicts.map((verdict) => imageDocument(verdict, log)),
    warnings,
  };
}

function imageDocument({ image, repository, verdict }: ImageVerdict, log: string): object {
  return {
    image,
    repository,
    outcome: verdict.kind,
    digest: verdict.digest ?? null,
    ...(verdict.kind === 'refused' ? { reason: verdict.reason } : {}),
    ...(verdict.kind === 'undecided' ? { cause: { code: verdict.cause.code, message: verdict.cause.message } } : {}),
    exitCode: exitCodeOfVerdict(verdict),
    log,
    seals: verdict.kind === 'trusted' ? verdict.seals.map(sealDocument) : [],
    rejected: verdict.rejected.map(rejectionDocument),
    nearest: verdict.kind === 'refused' && verdict.nearest !== undefined ? rejectionDocument(verdict.nearest) : null,
    places: verdict.places,
    weakened: verdict.weakened,
  };
}

function sealDocument(seal: Seal): object {
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

function signerDocument(signer: Seal['signer']): object {
  if (signer.kind === 'key') return { kind: 'key', algorithm: signer.key.algorithm, hint: signer.key.hint };
  const { subject, claims } = signer.identity;
  return { kind: 'identity', subject, issuer: claims.issuer ?? null, claims };
}

function evidenceDocument({ logEntries, timestamps }: NonNullable<Seal['evidence']>): object {
  return {
    logEntries: logEntries.map(({ log, index, integratedTime }) => ({
      log: log.baseUrl,
      logId: Buffer.from(log.logId).toString('base64'),
      index,
      integratedTime: integratedTime?.toISOString() ?? null,
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
