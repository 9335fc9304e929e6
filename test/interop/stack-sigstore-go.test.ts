// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import {
  bundleIn,
  demand,
  DEVELOPER,
  entryKinds,
  initialized,
  oneStack,
  PREDICATE,
  refused,
  writeIn,
} from './keyless.ts';
import { BULLA, Lab, succeed, type LabStack } from './lab.ts';

// sigstore-go's own programs: they verify what bulla and cosign sealed against `bulla up`, and seal against it themselves.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

interface Demand {
  readonly san?: string;
  readonly issuer?: string;
}

/** `sigstore-go-verify` of a blob's bundle, by the stack's trusted root or by its TUF repository. */
async function verify(
  program: string,
  { endpoints }: LabStack,
  blob: string,
  { san = DEVELOPER, issuer = endpoints.issuer }: Demand = {},
  trust: readonly string[] = ['-trustedrootJSONpath', endpoints.trustedRoot],
): Promise<ClientRun> {
  const identity = ['-expectedSAN', san, '-expectedIssuer', issuer];
  return lab.run(program, [...trust, ...identity, '-artifact', blob, `${blob}.sigstore.json`]);
}

const MISMATCH = /no matching CertificateIdentity found/;

async function acceptsNobodyElse(program: string, stack: LabStack, blob: string): Promise<void> {
  const good = await verify(program, stack, blob);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stderr, /Verification successful!/);
  refused(await verify(program, stack, blob, { san: `x${DEVELOPER}` }), MISMATCH);
  refused(await verify(program, stack, blob, { issuer: `${stack.endpoints.issuer}/other` }), MISMATCH);
}

interop('sigstore-go verifies what bulla sealed', ['sigstore-go-verify'], async ([verifier]) => {
  const { stack, token } = await ready();
  const { signingConfig, trustedRoot, tuf, tufRoot } = stack.endpoints;
  const home = lab.folder();
  const blob = writeIn(home, 'blob', 'a blob\n');
  const files = ['--signing-config', signingConfig, '--trusted-root', trustedRoot];
  await succeed(BULLA, ['sign-blob', '--yes', '--identity-token', token, ...files, blob], home);
  await acceptsNobodyElse(verifier, stack, blob);
  const byTuf = await verify(verifier, stack, blob, {}, ['-tufRootURL', tuf, '-tufTrustedRoot', tufRoot]);
  assert.equal(byTuf.code, 0, byTuf.stderr);
  // The bundle is one thing, the blob another.
  writeIn(home, 'blob', 'another blob\n');
  refused(await verify(verifier, stack, blob), /invalid signature/);
});

interop('sigstore-go verifies what cosign 3 sealed', ['sigstore-go-verify', 'cosign-3'], async ([verifier, cosign]) => {
  const { stack, token } = await ready();
  const home = await initialized(lab, stack, cosign);
  const blob = writeIn(home, 'blob', 'a blob\n');
  const bundle = ['--bundle', `${blob}.sigstore.json`];
  await succeed(cosign, ['sign-blob', '--yes', ...bundle, blob], home, { SIGSTORE_ID_TOKEN: token });
  await acceptsNobodyElse(verifier, stack, blob);
});

const SIGNER = ['sigstore-go-sign', 'sigstore-go-verify'] as const;

interop('sigstore-go seals a blob against the stack; it and bulla verify that', SIGNER, async ([signer, verifier]) => {
  const { stack, token } = await ready();
  const { signingConfig, trustedRoot } = stack.endpoints;
  const home = lab.folder();
  const blob = writeIn(home, 'blob', 'a blob\n');
  const services = ['-signing-config', signingConfig, '-trusted-root', trustedRoot];
  const made = await succeed(signer, ['-id-token', token, '-rekor', '-tsa', ...services, blob], home);
  // It prints its public key first.
  const bundle = made.stdout.split('\n').find((line) => line.startsWith('{')) ?? '';
  writeIn(home, 'blob.sigstore.json', bundle);
  const signed = bundleIn(join(home, 'blob.sigstore.json'));
  assert.deepEqual(entryKinds(signed), ['hashedrekord 0.0.2']);
  assert.equal(signed.timestamps.length, 1);
  await acceptsNobodyElse(verifier, stack, blob);
  const trust = ['--trusted-root', trustedRoot];
  await succeed(BULLA, ['verify-blob', ...trust, ...demand(stack), blob], home);
  assert.equal((await lab.bulla(['verify-blob', ...trust, ...demand(stack, `x${DEVELOPER}`), blob])).code, 12);
});

interop('sigstore-go seals a statement against the stack, and verifies it', SIGNER, async ([signer, verifier]) => {
  const { stack, token } = await ready();
  const { signingConfig, trustedRoot } = stack.endpoints;
  const home = lab.folder();
  const blob = writeIn(home, 'blob', 'a blob\n');
  const subject = [{ name: 'blob', digest: { sha256: hash('sha256', 'a blob\n', 'hex') } }];
  const statement = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: PREDICATE, predicate: {} };
  const file = writeIn(home, 'statement.json', JSON.stringify(statement));
  const services = ['-signing-config', signingConfig, '-trusted-root', trustedRoot];
  const made = await succeed(signer, ['-id-token', token, '-in-toto', '-rekor', '-tsa', ...services, file], home);
  writeIn(home, 'blob.sigstore.json', made.stdout.split('\n').find((line) => line.startsWith('{')) ?? '');
  assert.equal(bundleIn(join(home, 'blob.sigstore.json')).content.kind, 'dsse');
  await acceptsNobodyElse(verifier, stack, blob);
  writeIn(home, 'blob', 'another blob\n');
  refused(await verify(verifier, stack, blob), /artifact digests? do/);
});
