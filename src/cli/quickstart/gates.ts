// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  checkImages,
  checkPins,
  createAdmissionGate,
  decodeLock,
  encodeLock,
  findImages,
  pinImages,
  reasonOf,
  type AdmissionGate,
  type DecideOptions,
} from '../../gate/index.ts';
import { parseReference } from '../../oci/index.ts';
import { loadPolicies } from '../../policy/index.ts';
import { encodePublicKey } from '../../trust/index.ts';
import { writePins } from '../pin/write-pins.ts';
import type { Act } from './act.ts';
import { DEMO, GATED, UNSEALED, type KeyHolder, type Scene } from './scene.ts';

/** The way of a manifest to a cluster: gated in CI, pinned in Git, reviewed as the API server asks for it. */
export async function* gates(scene: Scene, owner: KeyHolder): AsyncGenerator<Act> {
  const [sealed, unsealed] = [DEMO, UNSEALED].map(({ repository, tag }) => `${scene.host}/${repository}:${tag}`);
  const policy = policyOf(scene, owner);
  await Promise.all([
    put(scene, GATED.policy, policy),
    put(scene, GATED.sealed, podOf(sealed ?? '')),
    put(scene, GATED.unsealed, podOf(unsealed ?? '')),
  ]);
  const why = `${scene.host}/platform/** must be sealed with cosign.key`;
  yield { tried: 'write a policy and two manifests', happened: 'done', why, asExpected: true };

  const set = await loadPolicies([{ name: GATED.policy, bytes: new TextEncoder().encode(policy) }]);
  const open: DecideOptions['open'] = async (name) => scene.repository(parseReference(name).repository);
  const options = { set, open, now: new Date() };
  yield await gateInCi('gate the manifest of the sealed image in CI', scene, GATED.sealed, options, 'met');
  yield await gateInCi('gate that of the unsealed one', scene, GATED.unsealed, options, 'nothing-found');
  yield* pinned(scene, options);

  const gate = createAdmissionGate({
    policies: { current: () => ({ set }) },
    credentials: { scopeOf: () => ({ key: 'quickstart', open }) },
  });
  const pod = await firstImage(scene, GATED.sealed);
  yield await reviewed('ask for the pinned Pod, as an API server does', gate, pod, true);
  const digest = await scene.repository(UNSEALED.repository).resolve(UNSEALED.tag);
  yield await reviewed('ask for a Pod of the unsealed image', gate, `${unsealed}@${digest?.digest}`, false);
}

async function gateInCi(
  tried: string,
  scene: Scene,
  file: string,
  options: DecideOptions,
  expected: string,
): Promise<Act> {
  const found = await findImages([await manifest(scene, file)]);
  const { outcome, images } = await checkImages({ named: [], ...found }, options);
  const decision = images[0]?.decision;
  const code = decision === undefined ? 'no-image' : reasonOf(decision);
  const place = images[0]?.found[0]?.place;
  const why = `${place?.file}:${place?.line}: ${decision?.message}${code === 'met' ? '' : ` [${code}]`}`;
  return { tried, happened: outcome, why, asExpected: code === expected };
}

async function* pinned(scene: Scene, options: DecideOptions): AsyncGenerator<Act> {
  const before = await manifest(scene, GATED.sealed);
  const { files, locked, places } = await pinImages([before], options);
  const lock = { shown: GATED.lock, folder: scene.folder, name: GATED.lock, text: undefined, lock: undefined };
  const text = encodeLock({ paths: [GATED.sealed], images: locked });
  writePins(files, lock, text);
  yield {
    tried: 'pin it: what was verified is written',
    happened: 'done',
    why: `${GATED.sealed} names ${places[0]?.image}; ${GATED.lock} says who sealed it`,
    asExpected: files.length === 1 && locked.length === 1,
  };
  const now = await manifest(scene, GATED.sealed);
  const check = await checkPins([now], decodeLock(new TextEncoder().encode(text)), options);
  const trusted = check.decided.length === 1 && check.decided.every(({ decision }) => decision.outcome === 'trusted');
  yield {
    tried: '  and check the lock in CI',
    happened: trusted ? 'trusted' : 'refused',
    why: `${check.decided.length} pinned image, ${check.drifts.length} differences from the lock`,
    asExpected: trusted && check.drifts.length === 0,
  };
}

/** Asks as the API server does, without a socket. @see https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ */
async function reviewed(tried: string, { service }: AdmissionGate, image: string, allowed: boolean): Promise<Act> {
  const body = new TextEncoder().encode(JSON.stringify(reviewOf(image)));
  const reply = await service.answer({
    method: 'POST',
    target: '/validate?timeout=10s',
    headers: { 'content-type': 'application/json' },
    body: ReadableStream.from([body]),
  });
  if (typeof reply.body !== 'string')
    throw new Error(`internal error: a review was answered ${reply.status} without a text`);
  const { response } = JSON.parse(reply.body) as ReviewAnswer;
  const why = response.status?.message ?? 'the API server is answered: allowed';
  const code = response.status === undefined ? '' : ` [${response.status.reason.toLowerCase()}]`;
  const happened = response.allowed ? 'trusted' : 'refused';
  return { tried, happened, why: why + code, asExpected: response.allowed === allowed };
}

interface ReviewAnswer {
  readonly response: {
    readonly allowed: boolean;
    readonly status?: { readonly message: string; readonly reason: string };
  };
}

function reviewOf(image: string): object {
  const metadata = { name: 'demo-api', namespace: 'default' };
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: randomUUID(),
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      ...metadata,
      operation: 'CREATE',
      userInfo: { username: 'ann', groups: ['system:authenticated'] },
      object: { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'demo-api', image }] } },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  };
}

async function put(scene: Scene, name: string, text: string): Promise<void> {
  const path = join(scene.folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function manifest(scene: Scene, name: string): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  return { name, bytes: await readFile(join(scene.folder, name)) };
}

async function firstImage(scene: Scene, name: string): Promise<string> {
  const { images } = await findImages([await manifest(scene, name)]);
  return images[0]?.image ?? '';
}

function policyOf({ host }: Scene, { publicKey }: KeyHolder): string {
  const pem = encodePublicKey(publicKey).trim().split('\n');
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: platform}
spec:
  images: [{glob: "${host}/platform/**"}]
  authorities:
  - name: owner
    key:
      data: |
${pem.map((line) => `        ${line}`).join('\n')}
`;
}

function podOf(image: string): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: demo-api}
spec:
  containers:
  - name: demo-api
    image: ${image} # nobody edits this line by hand
`;
}
