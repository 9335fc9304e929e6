// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { decodeSigningConfig, encodeSigningConfig } from '../../src/trust/index.ts';
import { interop, type ClientRun } from './clients.ts';
import {
  attested,
  bundleIn,
  demand,
  entryKinds,
  initialized,
  oneStack,
  PREDICATE,
  refused,
  serviceFlags,
  wrongDemands,
  writeIn,
  type Ready,
} from './keyless.ts';
import { elementsOf, Lab, MULTI, pushImages, SINGLE, succeed, type LabRegistry, type LabStack } from './lab.ts';

// cosign 3.1 against `bulla up`, told of it in each of the ways that it knows.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

/** How cosign is told of the stack: by what lies in its home, and by flags. */
interface Told {
  readonly home: string;
  readonly toSign: readonly string[];
  readonly toVerify: readonly string[];
}

interface Way {
  readonly tell: (ready: Ready, cosign: string) => Promise<Told>;
  /** of the entry of a blob's signature */
  readonly entry: string;
  /** how many of a timestamp authority a signature has */
  readonly timestamps: number;
}

const WAYS: Readonly<Record<string, Way>> = {
  initialize: {
    entry: 'hashedrekord 0.0.2',
    timestamps: 1,
    tell: async ({ stack }, cosign) => ({ home: await initialized(lab, stack, cosign), toSign: [], toVerify: [] }),
  },
  'signing config and trusted root': {
    entry: 'hashedrekord 0.0.2',
    timestamps: 1,
    tell: async ({ stack }) => byFiles(stack, stack.endpoints.signingConfig),
  },
  'a signing config with Rekor v1 alone': {
    entry: 'hashedrekord 0.0.1',
    timestamps: 1,
    tell: async ({ stack }) => byFiles(stack, withoutRekor2(stack)),
  },
  'service URLs and trusted root': {
    entry: 'hashedrekord 0.0.1',
    timestamps: 0,
    tell: async ({ stack }) => {
      const toVerify = ['--trusted-root', stack.endpoints.trustedRoot];
      const toSign = ['--use-signing-config=false', ...serviceFlags(stack), ...toVerify];
      return { home: lab.folder(), toSign, toVerify };
    },
  },
};

function byFiles({ endpoints }: LabStack, signingConfig: string): Told {
  const toVerify = ['--trusted-root', endpoints.trustedRoot];
  return { home: lab.folder(), toSign: ['--signing-config', signingConfig, ...toVerify], toVerify };
}

function withoutRekor2({ endpoints }: LabStack): string {
  const config = decodeSigningConfig(readFileSync(endpoints.signingConfig), 'signing_config.json');
  const logs = config.logs.filter(({ majorApiVersion }) => majorApiVersion === 1);
  assert.equal(logs.length, 1);
  return writeIn(lab.folder(), 'rekor1.json', encodeSigningConfig({ ...config, logs }));
}

function verifiedDigests(run: ClientRun): readonly string[] {
  return elementsOf(run).map(({ critical }) => critical.image['docker-manifest-digest']);
}

/** Signs an image, which is then verified, and by nobody else than who signed it. */
async function signAndVerify(cosign: string, way: Way, registry: LabRegistry, name: string): Promise<void> {
  const { stack, token } = await ready();
  const { home, toSign, toVerify } = await way.tell(await ready(), cosign);
  const repository = await pushImages(registry, name);
  const image = `${repository}@${SINGLE}`;
  const verify = (flags: readonly string[], of: string) =>
    lab.run(cosign, ['verify', ...toVerify, ...flags, of], { home });

  await succeed(cosign, ['sign', '--yes', ...toSign, image], home, { SIGSTORE_ID_TOKEN: token });
  const run = await verify(demand(stack), image);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(verifiedDigests(run), [SINGLE]);
  for (const wrong of wrongDemands(stack)) refused(await verify(wrong, image), /no matching CertificateIdentity found/);
  const unsigned = await verify(demand(stack), `${repository}@${MULTI}`);
  assert.equal(unsigned.code, 10, unsigned.stderr);
}

for (const [title, way] of Object.entries(WAYS)) {
  describe(`cosign 3 by ${title}`, () => {
    const name = `c3/${title.replaceAll(' ', '-').toLowerCase()}`;

    interop('signs and verifies an image', ['cosign-3'], async ([cosign]) => {
      const { stack } = await ready();
      await signAndVerify(cosign, way, stack, name);
    });

    interop('attests an image and verifies that', ['cosign-3'], async ([cosign]) => {
      const { stack, token } = await ready();
      const { home, toSign, toVerify } = await way.tell({ stack, token }, cosign);
      const image = `${await pushImages(stack, `${name}/attested`)}@${SINGLE}`;
      const about = ['--type', PREDICATE];
      const predicate = writeIn(home, 'predicate.json', '{"a":1}');
      const attest = ['attest', '--yes', '--identity-token', token, ...toSign, ...about, '--predicate', predicate];
      await succeed(cosign, [...attest, image], home);
      const verify = ['verify-attestation', ...toVerify, ...about];
      assert.deepEqual(attested(await succeed(cosign, [...verify, ...demand(stack), image], home)), [SINGLE]);
      for (const wrong of wrongDemands(stack))
        refused(await lab.run(cosign, [...verify, ...wrong, image], { home }), /no matching CertificateIdentity found/);
      const other = ['verify-attestation', ...toVerify, '--type', `${PREDICATE}/other`, ...demand(stack), image];
      refused(await lab.run(cosign, other, { home }), /none of the attestations matched the predicate type/);
    });

    interop('signs and verifies a blob', ['cosign-3'], async ([cosign]) => {
      const { stack, token } = await ready();
      const { home, toSign, toVerify } = await way.tell({ stack, token }, cosign);
      const blob = writeIn(home, 'blob', 'a blob\n');
      const bundle = join(home, 'blob.sigstore.json');
      const sign = ['sign-blob', '--yes', '--identity-token', token, ...toSign, '--bundle', bundle, blob];
      await succeed(cosign, sign, home);
      const signed = bundleIn(bundle);
      assert.deepEqual(entryKinds(signed), [way.entry]);
      assert.equal(signed.timestamps.length, way.timestamps);
      const verify = ['verify-blob', ...toVerify, '--bundle', bundle];
      await succeed(cosign, [...verify, ...demand(stack), blob], home);
      for (const wrong of wrongDemands(stack))
        refused(await lab.run(cosign, [...verify, ...wrong, blob], { home }), /no matching CertificateIdentity found/);
      const other = writeIn(home, 'other', 'another blob\n');
      refused(await lab.run(cosign, [...verify, ...demand(stack), other], { home }), /invalid signature/);
    });

    interop('attests a blob and verifies that', ['cosign-3'], async ([cosign]) => {
      const { stack, token } = await ready();
      const { home, toSign, toVerify } = await way.tell({ stack, token }, cosign);
      const blob = writeIn(home, 'blob', 'a blob\n');
      const bundle = ['--bundle', join(home, 'blob.sigstore.json')];
      const about = ['--type', PREDICATE];
      const predicate = writeIn(home, 'predicate.json', '{"a":1}');
      const attest = ['attest-blob', '--yes', ...toSign, ...about, '--predicate', predicate, ...bundle, blob];
      await succeed(cosign, attest, home, { SIGSTORE_ID_TOKEN: token });
      const verify = ['verify-blob-attestation', ...toVerify, ...about, ...bundle];
      await succeed(cosign, [...verify, ...demand(stack), blob], home);
      for (const wrong of wrongDemands(stack))
        refused(await lab.run(cosign, [...verify, ...wrong, blob], { home }), /no matching CertificateIdentity found/);
      const other = writeIn(home, 'other', 'another blob\n');
      const mismatch = /provided artifact digests do not match digests in statement/;
      refused(await lab.run(cosign, [...verify, ...demand(stack), other], { home }), mismatch);
    });
  });
}

interop(
  'cosign 3 signs and verifies an image of a registry without the referrers API',
  ['cosign-3', 'docker-registry'],
  async ([cosign]) => {
    const way = WAYS['initialize'];
    assert.ok(way !== undefined);
    await signAndVerify(cosign, way, await lab.serveDistribution(), 'c3/elsewhere');
  },
);
