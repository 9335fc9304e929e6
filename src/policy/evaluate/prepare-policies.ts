// SPDX-License-Identifier: Apache-2.0
import { digestOf, type Digest } from '../../oci/index.ts';
import { printable } from '../../trust/index.ts';
import { canonicalJson, type Json } from '../../wire/index.ts';
import { decodePolicyDocuments, type PolicyDocuments } from '../document/decode-documents.ts';
import { FaultList, formatFault, type DocumentFault } from '../document/fault.ts';
import type { Authority, ClusterImagePolicy, PolicyProgram } from '../document/policy.ts';
import type { NoMatch, RevocationDocument } from '../document/settings.ts';
import type { PolicyFile } from '../document/yaml-stream.ts';
import { PolicyError } from '../error.ts';
import { prepareIdentity } from './prepare-identity.ts';
import type {
  PolicySet,
  PreparedAttestation,
  PreparedAuthority,
  PreparedPolicy,
  PreparedProgram,
  PreparedRevocation,
} from './prepared-policy.ts';
import { prepareSigners } from './prepare-signers.ts';
import { Material } from './resolve-material.ts';
import { TrustRoots, type ResolvedTrust } from './trust-roots.ts';

/** What came of preparing. */
export interface Preparation {
  /** absent where there is an error or a gap */
  readonly set?: PolicySet;
  /** of the documents, then of what they refer to */
  readonly faults: readonly DocumentFault[];
}

/**
 * Resolves all that policies refer to, so that nothing is left to be found out when a decision is asked for.
 *
 * @param trust the trusted roots that the caller has; those of TrustRoot documents with keys are read here
 */
export async function preparePolicies(documents: PolicyDocuments, trust: ResolvedTrust = {}): Promise<Preparation> {
  const faults = new FaultList();
  const preparer = new Preparer(documents, trust, faults);
  const policies: PreparedPolicy[] = [];
  for (const policy of documents.policies) policies.push(await preparer.policy(policy));
  const settings = documents.settings;
  const revocations: PreparedRevocation[] = [];
  for (const revocation of settings.flatMap((one) => one.revocations))
    revocations.push(...(await preparer.revocation(revocation)));
  const strictest = (['deny', 'warn', 'allow'] as const).find((word) => settings.some((one) => one.noMatch === word));
  const noMatch: NoMatch = strictest ?? 'deny';
  const all = [...documents.faults, ...faults.all];
  if (all.some(({ severity }) => severity !== 'warning')) return { faults: all };
  const mirrors = settings.flatMap((one) => one.mirrors).toSorted((a, b) => b.upstream.length - a.upstream.length);
  const settingsHash = hashOf({ noMatch, revocations: revocations.map(revocationJson) });
  return { set: { policies, noMatch, mirrors, revocations, settingsHash }, faults: all };
}

/**
 * Reads files of policies that are to decide, and refuses what could not be evaluated: never a surprise at a decision.
 *
 * @throws PolicyError `policy-malformed`, `policy-unresolved`
 * @example
 * const policies = await loadPolicies([{ name: 'policies.yaml', bytes }], { fallback: trustedRoot });
 */
export async function loadPolicies(files: readonly PolicyFile[], trust: ResolvedTrust = {}): Promise<PolicySet> {
  const { set, faults } = await preparePolicies(await decodePolicyDocuments(files), trust);
  if (set !== undefined) return set;
  const errors = faults.filter(({ severity }) => severity === 'error');
  const [first, ...others] = errors.length > 0 ? errors : faults.filter(({ severity }) => severity === 'gap');
  const more = others.length === 0 ? '' : `; and ${others.length} more`;
  const code = errors.length > 0 ? 'policy-malformed' : 'policy-unresolved';
  throw new PolicyError(code, `${first === undefined ? 'no policy can be used' : formatFault(first)}${more}`);
}

function hashOf(value: Json): Digest {
  return digestOf(new TextEncoder().encode(canonicalJson(value)));
}

function revocationJson({ signer, since, reason }: PreparedRevocation): Json {
  const who: Json =
    signer.kind === 'keys'
      ? signer.keys.map(({ hint }) => hint)
      : signer.identity.patterns.map(([name, { exact, expression }]) => [
          name,
          exact ?? null,
          expression?.source ?? null,
        ]);
  return { who, since: since?.toISOString() ?? null, reason };
}

class Preparer {
  readonly #material: Material;
  readonly #roots: TrustRoots;
  readonly #faults: FaultList;

  constructor(documents: PolicyDocuments, trust: ResolvedTrust, faults: FaultList) {
    this.#material = new Material(documents, faults);
    this.#roots = new TrustRoots(documents.trustRoots, trust, faults);
    this.#faults = faults;
  }

  async policy(document: ClusterImagePolicy): Promise<PreparedPolicy> {
    const { name, place, mode, images, match, policy } = document;
    const resolved: Json[] = [];
    const authorities: PreparedAuthority[] = [];
    for (const authority of document.authorities) {
      const prepared = await this.#authority(authority);
      if (prepared === undefined) continue;
      authorities.push(prepared.authority);
      resolved.push(prepared.resolved);
    }
    const program = policy === undefined ? undefined : await this.#program(policy);
    if (policy?.fetchConfigFile === true)
      this.#faults.add(
        'gap',
        'engine-missing',
        policy.place,
        'fetchConfigFile: image configurations are not read here',
      );
    const text = program?.text ?? null;
    const asked = policy === undefined || program === undefined ? {} : { program: { ...program, ...includes(policy) } };
    const hash = hashOf({ name, spec: document.spec, resolved, text });
    return { name, place, mode, images, match, authorities, hash, ...asked };
  }

  async revocation({ signer, since, reason }: RevocationDocument): Promise<readonly PreparedRevocation[]> {
    const rest = { reason, ...(since === undefined ? {} : { since }) };
    if (signer.kind === 'key') {
      const keys = this.#material.keys(signer.key);
      return keys === undefined ? [] : [{ ...rest, signer: { kind: 'keys', keys } }];
    }
    const identity = await prepareIdentity(signer.identity, this.#faults, 'any-part');
    return identity === undefined ? [] : [{ ...rest, signer: { kind: 'identity', identity } }];
  }

  async #authority(
    document: Authority,
  ): Promise<{ readonly authority: PreparedAuthority; readonly resolved: Json } | undefined> {
    if (document.kind === 'static') return { authority: document, resolved: null };
    const signers = await prepareSigners(document, this.#material, this.#roots, this.#faults);
    const programs: (PreparedProgram | undefined)[] = [];
    for (const { policy } of document.attestations)
      programs.push(policy === undefined ? undefined : await this.#program(policy));
    if (signers === undefined) return undefined;
    const { name, kind, source, threshold, maxAge, format } = document;
    const { expected, hashAlgorithm, resolved } = signers;
    const attestations = document.attestations.map((attestation, at): PreparedAttestation => {
      const program = programs[at];
      // what policies are about must be in the form of its kind
      const expectation = { signers: expected, predicateType: attestation.predicateType, strictPredicate: true };
      return {
        name: attestation.name,
        predicateType: attestation.predicateType,
        expectation,
        ...(program === undefined ? {} : { program }),
      };
    });
    return {
      resolved: { signers: resolved, programs: programs.map((program) => program?.text ?? null) },
      authority: {
        kind,
        name,
        signers: expected,
        expectation: { signers: expected },
        attestations,
        threshold,
        ...(source === undefined ? {} : { source }),
        ...(maxAge === undefined ? {} : { maxAge }),
        ...(format === undefined ? {} : { formats: [format] }),
        ...(hashAlgorithm === undefined ? {} : { hashAlgorithm }),
      },
    };
  }

  async #program(document: PolicyProgram): Promise<PreparedProgram | undefined> {
    const { language, place } = document;
    const text = this.#material.text(document);
    if (language !== 'cel') {
      const shown = language === 'cue' ? 'CUE' : 'Rego';
      this.#faults.add(
        'gap',
        'engine-missing',
        place,
        `${shown} cannot be evaluated here: no engine for it is built in`,
      );
      return undefined;
    }
    if (text === undefined) return undefined;
    const { celFault } = await import('./cel-worker.ts');
    const fault = await celFault(text);
    if (fault === undefined) return { language, text };
    this.#faults.add('error', 'field-value', place, `not CEL: ${printable(fault.replaceAll(/\s+/g, ' '), 200)}`);
    return undefined;
  }
}

function includes({ includeSpec, includeObjectMeta, includeTypeMeta }: PolicyProgram): {
  readonly includeSpec: boolean;
  readonly includeObjectMeta: boolean;
  readonly includeTypeMeta: boolean;
} {
  return { includeSpec, includeObjectMeta, includeTypeMeta };
}
