// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { before, describe, it } from 'node:test';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { encodeBundle, encodeSignStatement, encodeTrustedRoot, signBlobBundle, signBundle } from '../trust/index.ts';
import { namedServices, openKeylessSigner, openWitnesses } from './index.ts';
import {
  FULCIO,
  ISSUER,
  openSigstoreDouble,
  REKOR,
  REKOR2,
  SUBJECT,
  TSA,
  type SigstoreDouble,
} from './sigstore-double.fixture.ts';

// What sigstore's own TypeScript verifier says of what we sign.

type Entity = Parameters<typeof toSignedEntity>;
type Root = Parameters<typeof toTrustMaterial>[0];

// What it reads its input with are packages of its own.
const companion = createRequire(createRequire(import.meta.url).resolve('@sigstore/verify'));
const { bundleFromJSON } = companion('@sigstore/bundle') as { bundleFromJSON: (json: unknown) => Entity[0] };
const { TrustedRoot } = companion('@sigstore/protobuf-specs') as { TrustedRoot: { fromJSON: (json: unknown) => Root } };

const BLOB = Buffer.from('an artifact');
const POLICY = { subjectAlternativeName: SUBJECT.replaceAll('.', '\\.'), extensions: { issuer: ISSUER } };

describe('a second opinion, by @sigstore/verify', () => {
  let double: SigstoreDouble;
  before(async () => {
    double = await openSigstoreDouble();
  });

  for (const { name, addresses, timestamps, version } of [
    { name: 'a log of Rekor v1', addresses: { rekor: REKOR }, timestamps: 0, version: 1 },
    {
      name: 'a log of Rekor v1 and a timestamp',
      addresses: { rekor: REKOR, timestamp: TSA },
      timestamps: 1,
      version: 1,
    },
    {
      name: 'a log of Rekor v2 and a timestamp',
      addresses: { rekor: REKOR2, rekorVersion: 2, timestamp: TSA },
      timestamps: 1,
      version: 2,
    },
  ] as const) {
    it(`accepts our seals with ${name}, and refuses them of another`, async () => {
      const { client: http } = double.server;
      const services = namedServices({ fulcio: FULCIO, ...addresses });
      const signer = await openKeylessSigner({ authority: { url: FULCIO }, token: double.token, http });
      const witnesses = openWitnesses(services, { http });
      const root = JSON.parse(Buffer.from(encodeTrustedRoot(double.trustedRoot)).toString()) as unknown;
      const material = toTrustMaterial(TrustedRoot.fromJSON(root));
      const verifier = new Verifier(material, {
        ctlogThreshold: 1,
        tlogThreshold: 1,
        timestampThreshold: Math.max(1, timestamps),
      });
      const entity = (bundle: Uint8Array, artifact?: Buffer): ReturnType<typeof toSignedEntity> =>
        toSignedEntity(bundleFromJSON(JSON.parse(Buffer.from(bundle).toString())), artifact);
      const blob = encodeBundle(await signBlobBundle(BLOB, signer, witnesses));
      verifier.verify(entity(blob, BLOB), POLICY);
      assert.throws(() => verifier.verify(entity(blob, Buffer.from('another')), POLICY));
      assert.throws(() => verifier.verify(entity(blob, BLOB), { ...POLICY, subjectAlternativeName: 'x@y\\.example' }));
      // It takes the digest in a hashedrekord for that of an envelope's payload; logs of Rekor v2 have that of its encoding, as cosign 3.1 sends it.
      if (version === 2) return;
      const statement = encodeSignStatement({ algorithm: 'sha256', hex: 'ab'.repeat(32) }, {});
      const sealed = encodeBundle(await signBundle(statement, signer, witnesses));
      assert.equal(verifier.verify(entity(sealed), POLICY).identity?.subjectAlternativeName, SUBJECT);
    });
  }
});
