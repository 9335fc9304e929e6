// SPDX-License-Identifier: Apache-2.0
import { signImage, verifyImage, type Expectation } from '../../image/index.ts';
import { bytesBlob, decodeManifest, digestOf, MediaType, type Digest, type Repository } from '../../oci/index.ts';
import { actOfRefusal, actOfVerdict, type Act } from './act.ts';
import { DEMO, newKey, pushService, UNSEALED, type KeyHolder, type Scene } from './scene.ts';

const MAX_BUNDLE_BYTES = 1024 * 1024;

/**
 * What an attacker tries, each against an image of its own, so that no line helps the next.
 *
 * @param sealed the digest of the image that was sealed honestly, in `DEMO.repository`
 */
export async function* attacks(scene: Scene, owner: KeyHolder, sealed: Digest): AsyncGenerator<Act> {
  const expectation: Expectation = { signers: { kind: 'keys', keys: [owner.publicKey] } };
  const demo = scene.repository(DEMO.repository);

  const unsealed = scene.repository(UNSEALED.repository);
  const unsealedDigest = await pushService(scene, unsealed, UNSEALED.tag, 'nobody sealed me');
  yield actOfVerdict(
    'deploy an image that nobody sealed',
    await verifyImage(unsealed, unsealedDigest, expectation),
    'nothing-found',
  );

  yield await actOfRefusal(
    `move ${DEMO.repository}:${DEMO.tag} to other content`,
    pushService(scene, demo, DEMO.tag, 'malware'),
    'denied',
  );

  yield* movedTag(scene, owner, expectation);

  const stolen = scene.repository('platform/stolen-seal');
  const stolenDigest = await pushService(scene, stolen, '1.0', 'I carry the seal of another image');
  await relaySeal(demo, sealed, stolen, stolenDigest, (bundle) => bundle);
  yield actOfVerdict(
    'lay the seal of another image beside it',
    await verifyImage(stolen, stolenDigest, expectation),
    'subject-mismatch',
  );

  const foreign = scene.repository('platform/other-key');
  const foreignDigest = await pushService(scene, foreign, '1.0', 'I was sealed by somebody else');
  await signImage(foreign, foreignDigest, { signer: (await newKey()).signer, now: new Date() });
  yield actOfVerdict(
    'seal it with another key',
    await verifyImage(foreign, foreignDigest, expectation),
    'signature-invalid',
  );

  const flipped = scene.repository('platform/flipped');
  const flippedDigest = await pushService(scene, flipped, '1.0', 'one byte of my seal was flipped');
  await signImage(flipped, flippedDigest, { signer: owner.signer, now: new Date() });
  await relaySeal(flipped, flippedDigest, scene.repository('platform/flipped-copy'), flippedDigest, flipByte);
  const copy = scene.repository('platform/flipped-copy');
  yield actOfVerdict(
    'flip one byte of a good seal',
    await verifyImage(copy, flippedDigest, expectation),
    'signature-invalid',
  );
}

// Where tags may move, the digest is what protects: the moved tag names other content, which nobody sealed.
async function* movedTag(scene: Scene, owner: KeyHolder, expectation: Expectation): AsyncGenerator<Act> {
  const movable = scene.repository('playground/demo-api');
  const good = await pushService(scene, movable, 'latest', 'hello from the playground');
  await signImage(movable, good, { signer: owner.signer, now: new Date() });
  await pushService(scene, movable, 'latest', 'malware');
  yield actOfVerdict(
    'move a tag where tags may move',
    await verifyImage(movable, 'latest', expectation),
    'nothing-found',
  );
  yield actOfVerdict(
    '  and deploy the digest that was verified before',
    await verifyImage(movable, good, expectation),
    'trusted',
  );
}

// Copies the bundle of one image so that the registry lists it for another.
async function relaySeal(
  from: Repository,
  sealed: Digest,
  to: Repository,
  subject: Digest,
  change: (bundle: Uint8Array) => Uint8Array,
): Promise<void> {
  const listed = (await from.referrers(sealed)).descriptors[0];
  const stored = listed === undefined ? undefined : await from.manifest(listed.digest);
  if (stored === undefined) throw new Error(`${from.name} lists no seal of ${sealed}`);
  const manifest = decodeManifest(stored.bytes);
  const layer = manifest.kind === 'image' ? manifest.layers[0] : undefined;
  const bundle = layer === undefined ? undefined : await from.blob(layer.digest, MAX_BUNDLE_BYTES);
  if (layer === undefined || bundle === undefined) throw new Error(`${from.name} has no bundle for ${sealed}`);
  const changed = change(bundle);
  const forged = {
    ...(JSON.parse(new TextDecoder().decode(stored.bytes)) as object),
    layers: [{ mediaType: layer.mediaType, size: changed.byteLength, digest: digestOf(changed) }],
    subject: { mediaType: MediaType.imageManifest, size: 2, digest: subject },
  };
  await to.putBlob(bytesBlob(new TextEncoder().encode('{}')));
  await to.putBlob(bytesBlob(changed));
  await to.putManifest(new TextEncoder().encode(JSON.stringify(forged)), MediaType.imageManifest);
}

// One byte of the signed statement: the signature no longer fits it.
function flipByte(bundle: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bundle);
  const at = text.indexOf('"payload":"') + 40;
  return new TextEncoder().encode(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
}
