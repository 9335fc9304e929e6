// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { bytesBlob, decodeManifest, MediaType, MemoryRepository } from '../oci/index.ts';
import { compileIdentity, decodePublicKey, decodeTrustedRoot, type ExpectedIdentity } from '../trust/index.ts';
import { verifyImage, type ExpectedSigners, type Verdict } from './index.ts';
import { LegacyAnnotation } from './legacy-signatures.ts';

// What cosign 2.5.0 sealed keyless, in a `.sig` tag, as recorded; and the same with one annotation changed.

const golden = join(import.meta.dirname, '../../test/golden');
const SIG_TAG = 'sha256-4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6.sig';
const trustedRoot = decodeTrustedRoot(readFileSync(join(golden, '_stack/trusted_root.json')), 'trusted_root.json');
const now = new Date('2026-11-22T12:00:00Z');

let dev: ExpectedIdentity;
before(async () => {
  dev = await compileIdentity({
    issuer: { exact: 'http://localhost:5570/oidc' },
    subject: { exact: 'dev@lab.example' },
  });
});

type Annotations = Readonly<Record<string, string>>;

/** The repository of a recorded case, with the annotations of its seal changed. */
async function recorded(
  name: string,
  change: (annotations: Annotations) => Annotations = (annotations) => annotations,
): Promise<MemoryRepository> {
  const repository = new MemoryRepository('registry.example.com/golden');
  const blob = (digest: string): Uint8Array => readFileSync(join(golden, name, 'layout/blobs/sha256', digest.slice(7)));
  const index = JSON.parse(readFileSync(join(golden, name, 'layout/index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Annotations }[];
  };
  for (const tag of ['single', SIG_TAG]) {
    const entry = index.manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag);
    assert.ok(entry !== undefined, `${name} has the tag ${tag}`);
    const bytes = blob(entry.digest);
    const manifest = decodeManifest(bytes, MediaType.imageManifest);
    assert.ok(manifest.kind === 'image');
    for (const { digest } of [manifest.config, ...manifest.layers]) await repository.putBlob(bytesBlob(blob(digest)));
    const json = JSON.parse(bytes.toString()) as { layers: { annotations?: Annotations }[] };
    for (const layer of json.layers) if (tag === SIG_TAG) layer.annotations = change(layer.annotations ?? {});
    await repository.putManifest(Buffer.from(JSON.stringify(json)), MediaType.imageManifest, { tag });
  }
  return repository;
}

async function verify(change?: (annotations: Annotations) => Annotations, signers?: ExpectedSigners): Promise<Verdict> {
  const repository = await recorded('keyless-2.5.0-env', change);
  const byIdentity: ExpectedSigners = { kind: 'identities', identities: [dev], evidence: { trustedRoot, now } };
  return verifyImage(repository, 'single', { signers: signers ?? byIdentity });
}

function codeOf(verdict: Verdict): string {
  assert.ok(verdict.kind === 'refused', verdict.kind);
  return `${verdict.reason}: ${verdict.nearest?.code ?? 'nothing'}`;
}

const without =
  (name: keyof typeof LegacyAnnotation) =>
  (annotations: Annotations): Annotations =>
    Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== LegacyAnnotation[name]));
const having =
  (name: keyof typeof LegacyAnnotation, value: string | ((text: string) => string)) =>
  (annotations: Annotations): Annotations => ({
    ...annotations,
    [LegacyAnnotation[name]]: typeof value === 'string' ? value : value(annotations[LegacyAnnotation[name]] ?? ''),
  });

describe('a legacy seal by a certificate', () => {
  it('is trusted for the identity that made it, with where and when it was logged', async () => {
    const verdict = await verify();
    assert.ok(verdict.kind === 'trusted' && verdict.seals[0].signer.kind === 'identity');
    const [seal] = verdict.seals;
    assert.equal(seal.signer.kind === 'identity' && seal.signer.identity.subject, 'dev@lab.example');
    assert.equal(seal.log, 'verified');
    assert.equal(seal.evidence?.logEntries[0]?.index, 14);
    assert.deepEqual(verdict.weakened, []);
  });

  it('is refused for somebody else', async () => {
    const other = await compileIdentity({ issuer: { exact: 'http://localhost:5570/oidc' }, subject: { exact: 'x@y' } });
    const signers: ExpectedSigners = { kind: 'identities', identities: [other], evidence: { trustedRoot } };
    assert.equal(codeOf(await verify(undefined, signers)), 'none-accepted: identity-subject-mismatch');
  });

  it('is a key seal to look at, without its certificate', async () =>
    assert.equal(codeOf(await verify(without('certificate'))), 'key-seals-only: key-material'));

  it('is refused without its log entry', async () =>
    assert.equal(codeOf(await verify(without('bundle'))), 'none-accepted: log-missing'));

  it('is refused with another certificate', async () => {
    const pem = readFileSync(join(golden, '_stack/fulcio-inter.pem'), 'utf8');
    assert.equal(codeOf(await verify(having('certificate', pem))), 'none-accepted: signature-invalid');
  });

  for (const [name, text] of [
    ['certificate', 'no PEM'],
    ['bundle', '{"SignedEntryTimestamp":1}'],
    ['bundle', 'null'],
    ['timestamp', '{"SignedRFC3161Timestamp":"%"}'],
    ['timestamp', '{}'],
  ] as const)
    it(`is refused if its ${name} cannot be read: ${text}`, async () =>
      assert.equal(codeOf(await verify(having(name, text))), 'none-accepted: bundle-malformed'));

  it('leads by its chain to a root that is known alone, where that is asked for', async () => {
    const certificateAuthorities = trustedRoot.certificateAuthorities.map(({ chain, ...rest }) => ({
      ...rest,
      chain: [chain.at(-1) ?? chain[0]] as const,
    }));
    const byRoot = (carriedChain: boolean): ExpectedSigners => ({
      kind: 'identities',
      identities: [dev],
      evidence: { trustedRoot: { ...trustedRoot, certificateAuthorities }, now, carriedChain },
    });
    assert.equal((await verify(undefined, byRoot(true))).kind, 'trusted');
    const unknown = 'none-accepted: certificate-issuer-unknown';
    assert.equal(codeOf(await verify(undefined, byRoot(false))), unknown);
    for (const change of [without('chain'), having('chain', 'no PEM'), having('chain', '-----BEGIN CERTIFICATE-----')])
      assert.equal(codeOf(await verify(change, byRoot(true))), unknown);
  });

  it('is not spoilt by a chain that cannot be read, where nobody asks for it', async () =>
    assert.equal((await verify(having('chain', 'no PEM'))).kind, 'trusted'));

  it('is refused if its log entry says another time', async () => {
    const later = having('bundle', (text) => text.replace(/"integratedTime":\d+/, '"integratedTime":1795330999'));
    assert.equal(codeOf(await verify(later)), 'none-accepted: log-promise-invalid');
  });

  it('says what was switched off', async () => {
    const evidence = { trustedRoot, now, ignoreLog: true, ignoreScts: true };
    const verdict = await verify(undefined, { kind: 'identities', identities: [dev], evidence });
    assert.deepEqual(verdict.weakened, ['log-ignored', 'certificate-log-ignored']);
    assert.equal(codeOf(verdict), 'none-accepted: certificate-expired');
  });
});

describe('a legacy seal by a key', () => {
  const key = decodePublicKey(readFileSync(join(golden, '_keys/cosign.pub')), 'cosign.pub');
  const logged: ExpectedSigners = { kind: 'keys', keys: [key], evidence: { trustedRoot } };
  const verdictOf = async (change?: (annotations: Annotations) => Annotations, signers = logged): Promise<Verdict> =>
    verifyImage(await recorded('key-tlog-2.5.0', change), 'single', { signers });

  it('is trusted with its log entry, where a trusted root asks for one', async () => {
    const verdict = await verdictOf();
    assert.ok(verdict.kind === 'trusted');
    assert.equal(verdict.seals[0].evidence?.logEntries[0]?.index, 19);
  });

  it('is refused without it, or with one that cannot be read', async () => {
    assert.equal(codeOf(await verdictOf(without('bundle'))), 'none-accepted: log-missing');
    assert.equal(codeOf(await verdictOf(having('bundle', '{'))), 'none-accepted: bundle-malformed');
  });

  it('is trusted whatever lies beside it, where no log is asked for', async () => {
    const verdict = await verdictOf(having('bundle', '{'), { kind: 'keys', keys: [key] });
    assert.ok(verdict.kind === 'trusted');
    assert.equal(verdict.seals[0].log, 'not-checked');
  });
});
