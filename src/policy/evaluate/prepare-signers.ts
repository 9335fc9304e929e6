// SPDX-License-Identifier: Apache-2.0
import type { ExpectedSigners } from '../../image/index.ts';
import { digestOf, type Digest } from '../../oci/index.ts';
import { printable, type EvidenceDemand, type ExpectedIdentity, type PublicKey } from '../../trust/index.ts';
import { canonicalJson, encodeBase64, type Json } from '../../wire/index.ts';
import type { FaultList } from '../document/fault.ts';
import type { HashAlgorithm, SealAuthority, SignerDocument } from '../document/policy.ts';
import { prepareIdentity } from './prepare-identity.ts';
import type { Material } from './resolve-material.ts';
import { fingerprint, TrustChooser } from './trust-choice.ts';
import type { TrustRoots } from './trust-roots.ts';

/** Who is expected, and what of it is not in the document. */
export interface PreparedSigners {
  readonly expected: ExpectedSigners;
  readonly hashAlgorithm?: HashAlgorithm;
  /** for the hash of the policy */
  readonly resolved: Json;
}

const CHOOSERS: WeakMap<TrustRoots, TrustChooser> = new WeakMap();

/** What an authority expects of a seal; `undefined` where something of it is not here, which is told. */
export async function prepareSigners(
  authority: SealAuthority,
  material: Material,
  roots: TrustRoots,
  faults: FaultList,
): Promise<PreparedSigners | undefined> {
  const { signers } = authority;
  const prepared =
    signers.kind === 'key'
      ? prepareKeys(authority, signers, material, roots, faults)
      : await prepareKeyless(authority, signers, material, roots, faults);
  if (prepared === undefined) return undefined;
  const { expected } = prepared;
  // By these the answer would be of one moment, or of more than is named here.
  if (expected.evidence?.now !== undefined || expected.evidence?.witnesses !== undefined) return prepared;
  return { ...prepared, expected: { ...expected, material: materialOf(expected) } };
}

/** Of who is expected, and of all that is believed about them. */
export function materialOf(expected: ExpectedSigners): Digest {
  const who: Json =
    expected.kind === 'keys'
      ? expected.keys.map(({ spki }) => encodeBase64(spki))
      : expected.identities.map(({ patterns }) =>
          patterns.map(([name, { exact, expression }]) => [name, exact ?? null, expression?.source ?? null]),
        );
  const { evidence } = expected;
  const root = evidence === undefined ? null : fingerprint(evidence.trustedRoot);
  const { ignoreLog = false, ignoreScts = false, signedTimestamps = false } = evidence ?? {};
  const { logs = 1, timestamps = 1, scts = 1 } = evidence?.thresholds ?? {};
  const asked: Json = [ignoreLog, ignoreScts, signedTimestamps, logs, timestamps, scts];
  return digestOf(new TextEncoder().encode(canonicalJson([expected.kind, who, root, asked])));
}

function prepareKeys(
  authority: SealAuthority,
  { key, hashAlgorithm }: Extract<SignerDocument, { kind: 'key' }>,
  material: Material,
  roots: TrustRoots,
  faults: FaultList,
): PreparedSigners | undefined {
  const keys = material.keys(key);
  if (keys === undefined) return undefined;
  if (hashAlgorithm !== undefined && !keys.some((one) => signsWith(one, hashAlgorithm))) {
    const found = `${hashAlgorithm} by ${keys.map(({ algorithm }) => algorithm).join(' or ')}`;
    faults.add('gap', 'field-value', authority.place, `signatures with ${found} are not verified here`);
    return undefined;
  }
  const hints = keys.map(({ hint }) => hint);
  const asked = hashAlgorithm === undefined ? {} : { hashAlgorithm };
  // Section 2.2, row 9: a key without `ctlog` asks for no log.
  if (authority.log === undefined && authority.timestamps === undefined)
    return { expected: { kind: 'keys', keys }, resolved: { keys: hints }, ...asked };
  const demand = demandOf(authority, undefined, roots, faults);
  if (demand === undefined) return undefined;
  const resolved = { keys: hints, root: fingerprint(demand.trustedRoot) };
  return { expected: { kind: 'keys', keys, evidence: demand }, resolved, ...asked };
}

function signsWith({ algorithm }: PublicKey, hash: HashAlgorithm): boolean {
  if (algorithm === 'ed25519') return true;
  if (hash === 'sha256') return true;
  return (algorithm === 'ecdsa-p384' && hash === 'sha384') || (algorithm === 'ecdsa-p521' && hash === 'sha512');
}

async function prepareKeyless(
  authority: SealAuthority,
  signers: Extract<SignerDocument, { kind: 'keyless' }>,
  material: Material,
  roots: TrustRoots,
  faults: FaultList,
): Promise<PreparedSigners | undefined> {
  const identities: ExpectedIdentity[] = [];
  for (const document of signers.identities) {
    const identity = await prepareIdentity(document, faults);
    if (identity !== undefined) identities.push(identity);
  }
  const demand = demandOf(authority, signers, roots, faults, material);
  if (demand === undefined || identities.length < signers.identities.length) return undefined;
  const evidence = { ...demand, ...(signers.ignoreScts ? { ignoreScts: true } : {}) };
  return {
    expected: { kind: 'identities', identities, evidence },
    resolved: { root: fingerprint(demand.trustedRoot) },
  };
}

/** Whom the authority believes. Section 2.2, row 9: with `rfc3161timestamp`, timestamps are asked for and no log is. */
function demandOf(
  { log, timestamps, place }: SealAuthority,
  keyless: Extract<SignerDocument, { kind: 'keyless' }> | undefined,
  roots: TrustRoots,
  faults: FaultList,
  material?: Material,
): EvidenceDemand | undefined {
  const named = keyless?.trustRoot;
  const own = keyless?.authority === undefined ? undefined : material?.authorities(keyless.authority);
  if (keyless?.authority !== undefined && own === undefined) return undefined;
  const stamped = timestamps === undefined || timestamps === '' ? named : timestamps;
  const base = roots.find(named ?? (keyless === undefined ? (log?.trustRoot ?? stamped) : undefined), place);
  const logs = log?.trustRoot === undefined ? base : roots.find(log.trustRoot, log.place);
  const clocks = stamped === undefined ? base : roots.find(stamped, place);
  if (base === undefined || logs === undefined || clocks === undefined) return undefined;
  const chooser = CHOOSERS.get(roots) ?? new TrustChooser();
  CHOOSERS.set(roots, chooser);
  const logUrl = timestamps === undefined ? log?.url : undefined;
  const { trustedRoot, unknownLog } = chooser.choose({
    authorities: own ?? base,
    logs: own === undefined ? logs : { ...logs, certificateLogs: base.certificateLogs },
    timestamps: clocks,
    ...(logUrl === undefined ? {} : { logUrl }),
  });
  if (unknownLog !== undefined && log !== undefined && !roots.isLater(logs)) {
    const listed = unknownLog.length === 0 ? 'none' : unknownLog.map((url) => printable(url, 80)).join(', ');
    faults.add(
      'gap',
      'reference-missing',
      log.place,
      `the trusted root lists no log at ${printable(log.url ?? '', 100)}, but ${listed}`,
    );
    return undefined;
  }
  return timestamps === undefined ? { trustedRoot } : { trustedRoot, ignoreLog: true, signedTimestamps: true };
}
