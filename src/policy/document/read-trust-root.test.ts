// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  decodeTrustedRoot,
  encodeCertificates,
  encodePublicKey,
  generatePrivateKey,
  logIdOf,
  noteKeyHash,
  type TransparencyLog,
} from '../../trust/index.ts';
import { decodePolicyDocuments } from './decode-documents.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const KEY = base64(encodePublicKey((await generatePrivateKey('ecdsa-p256')).publicKey));
const ROOT = base64('{"signed":{},"signatures":[]}');
const SUBJECT = { organization: 'acme', commonName: 'acme' };
const LOG = { baseURL: 'https://log.example', hashAlgorithm: 'sha-256', publicKey: KEY };
const AUTHORITY = { subject: SUBJECT, uri: 'https://ca.example', certChain: base64('not a certificate') };

async function decoded(spec: object): ReturnType<typeof decodePolicyDocuments> {
  const document = { apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'TrustRoot', metadata: { name: 'acme' }, spec };
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  return decodePolicyDocuments([{ name: 'root.yaml', bytes }]);
}

/** Codes and fields of the faults of a TrustRoot with this spec. */
async function faultsOf(spec: object): Promise<readonly string[]> {
  const { faults } = await decoded(spec);
  return faults.map(({ code, place }) => `${code} ${place.path}`);
}

describe('a TrustRoot', () => {
  it('is one of its forms', async () => {
    assert.deepEqual(await faultsOf({}), ['field-missing spec']);
    const remote = { mirror: 'https://tuf.example', root: ROOT, targets: 'targets' };
    assert.deepEqual(await faultsOf({ remote }), []);
    const repository = { root: ROOT, mirrorFS: base64('x'), targets: 'targets' };
    assert.deepEqual(await faultsOf({ repository }), []);
    assert.deepEqual(await faultsOf({ remote, repository }), ['field-conflict spec']);
  });

  it('at an address has a mirror and a first root with signatures', async () => {
    assert.deepEqual(await faultsOf({ remote: { root: ROOT } }), ['field-missing spec.remote.mirror']);
    assert.deepEqual(await faultsOf({ remote: { mirror: 'tuf', root: ROOT } }), ['field-value spec.remote.mirror']);
    assert.deepEqual(await faultsOf({ remote: { mirror: 'https://a.example' } }), ['field-missing spec.remote.root']);
    const unsigned = { mirror: 'https://a.example', root: base64('{}') };
    assert.deepEqual(await faultsOf({ remote: unsigned }), ['material-malformed spec.remote.root']);
    const broken = { mirror: 'https://a.example', root: '%' };
    assert.deepEqual(await faultsOf({ remote: broken }), ['material-malformed spec.remote.root']);
  });

  it('in itself has targets and the archive', async () => {
    assert.deepEqual(await faultsOf({ repository: { root: ROOT, mirrorFS: base64('x') } }), [
      'field-missing spec.repository.targets',
    ]);
    assert.deepEqual(await faultsOf({ repository: { root: ROOT, targets: 'targets' } }), [
      'field-missing spec.repository.mirrorFS',
    ]);
  });

  it('of keys tells the faults of every entry, not only of the last', async () => {
    const sigstoreKeys = {
      certificateAuthorities: [AUTHORITY, { ...AUTHORITY, uri: '' }, { ...AUTHORITY, subject: { organization: 'a' } }],
      tLogs: [LOG, { ...LOG, baseURL: '' }, { ...LOG, hashAlgorithm: 'md5' }, { ...LOG, publicKey: base64('x') }],
      ctLogs: [{ ...LOG, publicKey: '' }, LOG],
    };
    assert.deepEqual(await faultsOf({ sigstoreKeys }), [
      'material-malformed spec.sigstoreKeys.certificateAuthorities[0].certChain',
      'field-missing spec.sigstoreKeys.certificateAuthorities[1].uri',
      'material-malformed spec.sigstoreKeys.certificateAuthorities[1].certChain',
      'field-missing spec.sigstoreKeys.certificateAuthorities[2].subject.commonName',
      'material-malformed spec.sigstoreKeys.certificateAuthorities[2].certChain',
      'field-missing spec.sigstoreKeys.tLogs[1].baseURL',
      'field-value spec.sigstoreKeys.tLogs[2].hashAlgorithm',
      'material-malformed spec.sigstoreKeys.tLogs[3].publicKey',
      'field-missing spec.sigstoreKeys.ctLogs[0].publicKey',
    ]);
  });

  it('of keys knows a log by the names that Rekor v1 and Rekor v2 have for it', async () => {
    const golden = join(import.meta.dirname, '../../../test/golden/_stack/trusted_root.json');
    const [authority] = decodeTrustedRoot(readFileSync(golden), golden).certificateAuthorities;
    const certChain = base64(encodeCertificates(authority?.chain ?? []));
    const logsWith = async (baseURL: string, key: string): Promise<readonly TransparencyLog[]> => {
      const tLogs = [{ ...LOG, baseURL, publicKey: base64(key) }];
      const { trustRoots, faults } = await decoded({
        sigstoreKeys: { certificateAuthorities: [{ ...AUTHORITY, certChain }], tLogs },
      });
      assert.deepEqual(faults, []);
      const root = trustRoots[0]?.root;
      return root?.kind === 'keys' ? root.trustedRoot.logs : [];
    };
    const { publicKey } = await generatePrivateKey('ed25519');
    const ids = (logs: readonly TransparencyLog[]): readonly unknown[] =>
      logs.map(({ logId, majorVersion }) => [Buffer.from(logId).toString('hex'), majorVersion]);
    const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex');
    assert.deepEqual(ids(await logsWith('https://log.example/rekor', encodePublicKey(publicKey))), [
      [hex(logIdOf(publicKey)), 1],
      [hex(noteKeyHash('log.example', publicKey)), 2],
    ]);
    const ecdsa = (await generatePrivateKey('ecdsa-p256')).publicKey;
    assert.deepEqual(ids(await logsWith('https://log.example', encodePublicKey(ecdsa))), [
      [hex(logIdOf(ecdsa)), undefined],
    ]);
  });

  it('of keys has authorities for certificates or for timestamps', async () => {
    assert.deepEqual(await faultsOf({ sigstoreKeys: { tLogs: [LOG] } }), ['field-missing spec.sigstoreKeys']);
  });

  it('as a whole trusted root is read strictly', async () => {
    assert.deepEqual(await faultsOf({ trustedRootJSON: '{"mediaType":"x"}' }), [
      'material-malformed spec.trustedRootJSON',
    ]);
    const mediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
    assert.deepEqual(await faultsOf({ trustedRootJSON: JSON.stringify({ mediaType }) }), []);
  });
});
