// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import type { PolicyDocuments } from '../document/decode-documents.ts';
import type { FaultList } from '../document/fault.ts';
import type { SealAuthority } from '../document/policy.ts';
import { DEFAULT_MAX_LIFETIME, prepareExceptions } from '../exception/prepare-exceptions.ts';
import { SUMMARY_PREDICATE_TYPE } from '../vsa/summary-statement.ts';
import type { PolicySet, PreparedGate } from './prepared-policy.ts';
import { materialOf, prepareSigners } from './prepare-signers.ts';
import type { Material } from './resolve-material.ts';
import type { TrustRoots } from './trust-roots.ts';

/** What settings say of gates and exceptions. */
export interface PreparedSettings extends Pick<PolicySet, 'gates' | 'summaries' | 'exceptions'> {
  /** for the hash of the settings */
  readonly hashed: { readonly [name: string]: Json };
}

/** A day: whoever was revoked or found out in between is touched by other means. */
const DEFAULT_MAX_AGE = 24 * 60 * 60 * 1000;

/** Resolves gates and exceptions. Several settings add up, and of each limit the strictest counts. */
export async function prepareSettings(
  { settings, exceptions: documents }: Pick<PolicyDocuments, 'settings' | 'exceptions'>,
  material: Material,
  roots: TrustRoots,
  faults: FaultList,
): Promise<PreparedSettings> {
  type Named = Pick<PreparedGate, 'name' | 'signers'>;
  const named = async (authorities: readonly SealAuthority[]): Promise<readonly Named[]> => {
    const all: Named[] = [];
    for (const authority of authorities) {
      const signers = await prepareSigners(authority, material, roots, faults);
      if (signers === undefined) continue;
      all.push({ name: authority.name, signers: signers.expected });
    }
    return all;
  };
  const gates = await named(settings.flatMap((one) => one.gates));
  const excepting = await named(settings.flatMap(({ exceptions }) => exceptions?.signers ?? []));
  const maxAge = least(settings.map(({ summaries }) => summaries?.maxAge)) ?? DEFAULT_MAX_AGE;
  const demanding = settings.find(({ summaries }) => summaries?.demand === true)?.summaries;
  if (demanding !== undefined && settings.every((one) => one.gates.length === 0))
    faults.add(
      'error',
      'field-missing',
      demanding.place,
      'demands a summary, and no gates are named: nobody could make it',
    );
  const maxLifetime = least(settings.map(({ exceptions }) => exceptions?.maxLifetime)) ?? DEFAULT_MAX_LIFETIME;
  const exceptions = await prepareExceptions(
    documents,
    excepting.map(({ signers }) => signers),
    maxLifetime,
    faults,
  );
  const demand = demanding !== undefined;
  return {
    gates: gates.map(({ name, signers }): PreparedGate => {
      const expectation = { signers, predicateType: SUMMARY_PREDICATE_TYPE, strictPredicate: true };
      return { name, signers, expectation };
    }),
    summaries: { demand, maxAge },
    exceptions,
    hashed: {
      gates: gates.map(({ signers }) => materialOf(signers)),
      summaries: { demand, maxAge },
      exceptions: {
        signers: excepting.map(({ signers }) => materialOf(signers)),
        maxLifetime,
        // with their signatures: another may be by somebody else
        documents: [...new Set([...exceptions.byDigest.values()].flat().map(({ document }) => document))].toSorted(),
      },
    },
  };
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}
