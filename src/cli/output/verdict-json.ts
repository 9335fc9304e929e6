// SPDX-License-Identifier: Apache-2.0
import type { Rejection, Seal } from '../../image/index.ts';
import type { Json } from '../../wire/index.ts';
import { exitCodeOfVerdict, exitCodeOfVerdicts, type ImageVerdict } from './verdict-exit-code.ts';

/** What `verify --json` writes. The shape is documented in docs/cli.md and kept. */
export function verdictDocument(verdicts: readonly ImageVerdict[], warnings: readonly string[]): object {
  return { exitCode: exitCodeOfVerdicts(verdicts), images: verdicts.map(imageDocument), warnings };
}

function imageDocument({ image, repository, verdict }: ImageVerdict): object {
  return {
    image,
    repository,
    outcome: verdict.kind,
    digest: verdict.digest ?? null,
    ...(verdict.kind === 'refused' ? { reason: verdict.reason } : {}),
    ...(verdict.kind === 'undecided' ? { cause: { code: verdict.cause.code, message: verdict.cause.message } } : {}),
    exitCode: exitCodeOfVerdict(verdict),
    log: 'not checked',
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
    signer: { kind: 'key', algorithm: seal.signer.key.algorithm, hint: seal.signer.key.hint },
    scheme: seal.scheme,
    log: 'not checked',
    annotations: seal.annotations satisfies Readonly<Record<string, Json>>,
    ...(seal.dockerReference === undefined ? {} : { dockerReference: seal.dockerReference }),
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
