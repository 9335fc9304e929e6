// SPDX-License-Identifier: Apache-2.0
import { digestOf, type Digest } from '../../oci/index.ts';
import { canonicalJson, type Json } from '../../wire/index.ts';
import { decodePolicyDocuments, type PolicyDocuments } from '../document/decode-documents.ts';
import { FaultList, formatFault, type DocumentFault } from '../document/fault.ts';
import type { Authority, ClusterImagePolicy, EvidenceSource, PolicyProgram } from '../document/policy.ts';
import type { MirrorDocument, NoMatch, RevocationDocument } from '../document/settings.ts';
import type { PolicyFile } from '../document/yaml-stream.ts';
import type { Engines, PreparedProgram } from '../engine/engine.ts';
import { findEngines } from '../engine/find-engines.ts';
import { PolicyError } from '../error.ts';
import { mirrorOf, mirrorsOf } from '../match/matching-policies.ts';
import { prepareIdentity } from './prepare-identity.ts';
import type {
  PolicySet,
  PreparedAttestation,
  PreparedAuthority,
  PreparedPolicy,
  PreparedRevocation,
} from './prepared-policy.ts';
import { prepareSettings, type PreparedSettings } from './prepare-settings.ts';
import { prepareSigners } from './prepare-signers.ts';
import { ProgramPreparer } from './prepare-programs.ts';
import { Material, type FetchProgram } from './resolve-material.ts';
import { TrustRoots, type ResolvedTrust } from './trust-roots.ts';

/** What the caller has at hand for policies. What is not there leaves gaps where policies need it. */
export interface PolicySurroundings extends ResolvedTrust {
  /** those that need nothing but packages unless told: CEL, and CUE where its package is installed */
  readonly engines?: Engines;
  /** fetches policies that are behind an address; `later` where documents are only checked. Throws a CodedError. */
  readonly fetch?: FetchProgram | 'later';
}

/** What came of preparing. */
export interface Preparation {
  /** absent where there is an error or a gap, or something is for later */
  readonly set?: PolicySet;
  /** of the documents, then of what they refer to */
  readonly faults: readonly DocumentFault[];
}

/**
 * Resolves all that policies refer to, so that nothing is left to be found out when a decision is asked for.
 *
 * @param surroundings among them the trusted roots that the caller has; those of TrustRoot documents with keys are read here
 */
export async function preparePolicies(
  documents: PolicyDocuments,
  surroundings: PolicySurroundings = {},
): Promise<Preparation> {
  const faults = new FaultList();
  const preparer = new Preparer(documents, surroundings, faults);
  try {
    return await prepare(documents, preparer, faults);
  } finally {
    await preparer.end();
  }
}

async function prepare(documents: PolicyDocuments, preparer: Preparer, faults: FaultList): Promise<Preparation> {
  await preparer.begin();
  const policies: PreparedPolicy[] = [];
  for (const policy of documents.policies) policies.push(await preparer.policy(policy));
  const { settings } = documents;
  const { gates, summaries, exceptions, hashed } = await preparer.settings(documents);
  const revocations: PreparedRevocation[] = [];
  for (const revocation of settings.flatMap((one) => one.revocations))
    revocations.push(...(await preparer.revocation(revocation)));
  const strictest = (['deny', 'warn', 'allow'] as const).find((word) => settings.some((one) => one.noMatch === word));
  const noMatch: NoMatch = strictest ?? 'deny';
  const all = [...documents.faults, ...faults.all];
  if (preparer.isPartial || all.some(({ severity }) => severity !== 'warning')) return { faults: all };
  const { mirrors } = preparer;
  const moved = mirrors.map(({ upstream, mirror }) => [upstream, mirror]);
  const settingsHash = hashOf({ noMatch, mirrors: moved, revocations: revocations.map(revocationJson), ...hashed });
  return {
    set: { policies, noMatch, mirrors, revocations, gates, summaries, exceptions, settingsHash },
    faults: all,
  };
}

/**
 * Reads files of policies that are to decide, and refuses what could not be evaluated: never a surprise at a decision.
 *
 * @throws PolicyError `policy-malformed`, `policy-unresolved`
 * @example
 * const policies = await loadPolicies([{ name: 'policies.yaml', bytes }], { fallback: trustedRoot });
 */
export async function loadPolicies(
  files: readonly PolicyFile[],
  surroundings: PolicySurroundings = {},
): Promise<PolicySet> {
  const { set, faults } = await preparePolicies(await decodePolicyDocuments(files), surroundings);
  if (set !== undefined) return set;
  const errors = faults.filter(({ severity }) => severity === 'error');
  const told = errors.length > 0 ? errors : faults.filter(({ severity }) => severity === 'gap');
  // of a name that is misspelt it says most: that the right one is missing follows from it
  const [first, ...others] = [...told.filter(isUnknownField), ...told.filter((fault) => !isUnknownField(fault))];
  const more = others.length === 0 ? '' : `; and ${others.length} more`;
  const code = errors.length > 0 ? 'policy-malformed' : 'policy-unresolved';
  throw new PolicyError(code, `${first === undefined ? 'no policy can be used' : formatFault(first)}${more}`);
}

function isUnknownField({ code }: DocumentFault): boolean {
  return code === 'field-unknown';
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
  readonly mirrors: readonly MirrorDocument[];
  readonly #material: Material;
  readonly #roots: TrustRoots;
  readonly #programs: ProgramPreparer;
  readonly #faults: FaultList;

  constructor(documents: PolicyDocuments, surroundings: PolicySurroundings, faults: FaultList) {
    this.mirrors = mirrorsOf(documents.settings);
    const { engines = findEngines(), fetch } = surroundings;
    this.#material = new Material(documents, faults, fetch);
    this.#roots = new TrustRoots(documents.trustRoots, surroundings, faults);
    this.#programs = new ProgramPreparer(engines, this.#material, faults);
    this.#faults = faults;
  }

  /** What has to be asked for before anything else. */
  begin(): Promise<void> {
    return this.#roots.resolve();
  }

  end(): Promise<void> {
    return this.#programs.end();
  }

  /** Something was left out that is fetched later: nothing can be decided by what was prepared. */
  get isPartial(): boolean {
    return this.#material.isPartial;
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
    const program = policy === undefined ? undefined : await this.#programs.prepare(policy);
    const text = program?.text ?? null;
    const asked = policy === undefined || program === undefined ? {} : { program: { ...program, ...includes(policy) } };
    const hash = hashOf({ name, spec: document.spec, resolved, text });
    return { name, place, mode, images, match, authorities, hash, ...asked };
  }

  async settings(documents: Pick<PolicyDocuments, 'settings' | 'exceptions'>): Promise<PreparedSettings> {
    return prepareSettings(documents, this.#material, this.#roots, this.#faults);
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
      programs.push(policy === undefined ? undefined : await this.#programs.prepare(policy));
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
        ...(source === undefined ? {} : { source: fetchedSource(this.mirrors, source) }),
        ...(maxAge === undefined ? {} : { maxAge }),
        ...(format === undefined ? {} : { formats: [format] }),
        ...(hashAlgorithm === undefined ? {} : { hashAlgorithm }),
      },
    };
  }
}

/** Evidence that lies in a repository which has a mirror is read there, as an image is. */
function fetchedSource(mirrors: readonly MirrorDocument[], source: EvidenceSource): EvidenceSource {
  const { repository } = source;
  return repository === undefined ? source : { ...source, repository: mirrorOf(mirrors, repository) };
}

function includes({
  fetchConfigFile,
  includeSpec,
  includeObjectMeta,
  includeTypeMeta,
}: PolicyProgram): Omit<NonNullable<PreparedPolicy['program']>, keyof PreparedProgram> {
  return { fetchConfigFile, includeSpec, includeObjectMeta, includeTypeMeta };
}
