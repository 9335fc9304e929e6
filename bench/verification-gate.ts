// SPDX-License-Identifier: Apache-2.0

// `node bench/verification-gate.ts FILE ROUNDS`: verifies the seals of a file again and again, as a gate does that holds one trusted root: and
// nothing else, so that its code is compiled for that. Prints one line of JSON.
import crypto, { type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import {
  compileIdentity,
  decodeBundle,
  decodeTrustedRoot,
  verifyBundle,
  type Artifact,
  type IdentityPattern,
  type SealExpectation,
} from '../src/trust/index.ts';

/** What the file holds, as JSON. */
export interface Seals {
  readonly trustedRoot: string;
  readonly identity: IdentityPattern;
  readonly sealed: readonly { readonly bundle: string; readonly artifact: Artifact }[];
}

/** Microseconds of processor time for a bundle. */
export interface VerificationCost {
  readonly whole: number;
  /** of its signature checks and key imports alone */
  readonly checks: number;
}

/** by the signer, the authority, the certificate log, the log and the timestamp authority */
export const SIGNATURES = 5;
/** the signer's; the others are those of the trusted root */
export const KEYS = 1;

const SLICE = 100;

/** A bundle as a gate reads it, and what it must seal. */
interface Sealed {
  readonly bytes: Uint8Array;
  readonly artifact: Artifact;
}

/** What a verification asks of OpenSSL. */
type Check =
  | { readonly kind: 'import'; readonly spki: Buffer }
  | {
      readonly kind: 'verify';
      readonly digest: string | null;
      readonly message: Uint8Array;
      /** one that was imported just before, unless it is of the trusted root */
      readonly key: KeyObject | undefined;
      readonly signature: Uint8Array;
    };

/** Some of them, with what their verification asks of OpenSSL. */
interface Slice {
  readonly sealed: readonly Sealed[];
  readonly checks: readonly Check[];
}

/** @returns of each hundred bundles the round that took the least, added up */
async function measure({ trustedRoot, identity, sealed }: Seals, rounds: number): Promise<VerificationCost> {
  const expectation = {
    identities: [await compileIdentity(identity)],
    trustedRoot: decodeTrustedRoot(Buffer.from(trustedRoot), 'the trusted root'),
    signedTimestamps: true,
  };
  const all = sealed.map(({ bundle, artifact }) => ({ bytes: Buffer.from(bundle), artifact }));
  await verifyAll(all, expectation); // what is found out once for a trusted root
  let whole = 0;
  let checks = 0;
  for (const slice of await sliced(all, expectation)) {
    let least = Number.POSITIVE_INFINITY;
    let leastOfChecks = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      leastOfChecks = Math.min(leastOfChecks, await processorTime(async () => makeChecks(slice.checks)));
      least = Math.min(least, await processorTime(() => verifyAll(slice.sealed, expectation)));
    }
    whole += least;
    checks += leastOfChecks;
  }
  return { whole: whole / all.length, checks: checks / all.length };
}

/** @throws Error where a verification makes other checks than those that the table names */
async function sliced(sealed: readonly Sealed[], expectation: SealExpectation): Promise<readonly Slice[]> {
  const slices: Slice[] = [];
  for (let at = 0; at < sealed.length; at += SLICE) {
    const part = sealed.slice(at, at + SLICE);
    const checks = await record(() => verifyAll(part, expectation));
    const imports = checks.filter(({ kind }) => kind === 'import').length;
    if (imports !== KEYS * part.length || checks.length !== (KEYS + SIGNATURES) * part.length)
      throw new Error(
        `${part.length} verifications came to ${checks.length} checks, ${imports} of them imports of keys`,
      );
    slices.push({ sealed: part, checks });
  }
  return slices;
}

async function verifyAll(sealed: readonly Sealed[], expectation: SealExpectation): Promise<void> {
  for (const { bytes, artifact } of sealed) {
    const check = await verifyBundle(decodeBundle(bytes, 'the bundle'), artifact, expectation);
    if (check.kind === 'rejected') throw new Error(`a bundle was rejected: ${JSON.stringify(check.rejection)}`);
  }
}

/** In microseconds. */
async function processorTime(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Writes down what is asked of node:crypto, by exchanging its functions for as long as this takes. */
async function record(work: () => Promise<void>): Promise<readonly Check[]> {
  const { verify, createPublicKey } = crypto;
  const checks: Check[] = [];
  const imported = new Set<KeyObject>();
  const verifying = (digest: string | null, message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean => {
    checks.push({ kind: 'verify', digest, message, key: imported.has(key) ? undefined : key, signature });
    return verify(digest, message, key, signature);
  };
  const importing = (input: { readonly key: Buffer; readonly format: 'der'; readonly type: 'spki' }): KeyObject => {
    const key = createPublicKey(input);
    checks.push({ kind: 'import', spki: input.key });
    imported.add(key);
    return key;
  };
  Object.assign(crypto, { verify: verifying, createPublicKey: importing });
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    Object.assign(crypto, { verify, createPublicKey });
    syncBuiltinESMExports();
  }
  return checks;
}

function makeChecks(checks: readonly Check[]): void {
  let imported: KeyObject | undefined;
  for (const check of checks) {
    if (check.kind === 'import') {
      imported = crypto.createPublicKey({ key: check.spki, format: 'der', type: 'spki' });
      continue;
    }
    const { digest, message, key = imported, signature } = check;
    if (key === undefined || !crypto.verify(digest, message, key, signature))
      throw new Error('a signature that held does not hold any more');
  }
}

if (import.meta.main) {
  const [file = '', rounds = '31'] = process.argv.slice(2);
  const cost = await measure(JSON.parse(readFileSync(file, 'utf8')) as Seals, Number(rounds));
  process.stdout.write(`${JSON.stringify(cost)}\n`);
}
