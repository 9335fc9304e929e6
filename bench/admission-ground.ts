// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signImage } from '../src/image/index.ts';
import { bytesBlob, MediaType, RemoteRegistry, type Digest } from '../src/oci/index.ts';
import { openRegistry } from '../src/registry/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner, type Signer } from '../src/trust/index.ts';
import { header, json, serve, type Service } from '../src/wire/index.ts';
import { numberedManifest } from './admission-server.ts';
import { slowProxy } from './slow-proxy.ts';

export const ROUND_TRIP_MS = 30;

/** A registry behind a slow line, that wants a token, and an image in it. */
export interface Far {
  readonly registry: string;
  readonly policies: string;
  /** lays a sealed image, and says its digest */
  lay(at: number): Promise<Digest>;
}

export const NAME: string = 'prod/app';

export async function farRegistry(stack: AsyncDisposableStack): Promise<Far> {
  const data = await mkdtemp(join(tmpdir(), 'bulla-bench-admission-'));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  const registry = await openRegistry({ data });
  stack.defer(() => registry.close());
  const near = await serve({ service: registry.service, host: '127.0.0.1', port: 0 });
  stack.defer(() => near.close());
  const guarded = await serve({ service: wantsToken(registry.service), host: '127.0.0.1', port: 0 });
  stack.defer(() => guarded.close());
  const proxy = await slowProxy(guarded.address.port, ROUND_TRIP_MS);
  stack.defer(() => proxy.close());
  const signers = await Promise.all(Array.from({ length: 5 }, newSigner));
  const writer = new RemoteRegistry(`127.0.0.1:${near.address.port}`, { access: 'write', credentials: 'anonymous' });
  return {
    registry: `127.0.0.1:${proxy.port}`,
    policies: policyOf(signers),
    async lay(at) {
      const repository = writer.repository(NAME);
      const bytes = numberedManifest(at);
      await repository.putBlob(bytesBlob(Buffer.from('{}')));
      const { descriptor } = await repository.putManifest(bytes, MediaType.imageManifest, { tag: `v${at}` });
      const signer = signers.at(-1);
      if (signer !== undefined) await signImage(repository, descriptor.digest, { signer, now: new Date() });
      return descriptor.digest;
    },
  };
}

async function newSigner(): Promise<Signer> {
  return keySigner(await generatePrivateKey('ecdsa-p256'));
}

export function policyOf(signers: readonly Signer[]): string {
  const authorities = signers.map(({ publicKey }, at) => ({
    name: `a${at}`,
    key: { data: encodePublicKey(publicKey) },
  }));
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: { images: [{ glob: '**' }], authorities },
  });
}

/** As registries do it: without a token they say where there is one. */
function wantsToken(service: Service): Service {
  return {
    ...service,
    async answer(call) {
      if (call.target.startsWith('/token')) return json({ token: 'let-me-in', expires_in: 3600 });
      if (header(call, 'authorization') === 'Bearer let-me-in') return service.answer(call);
      const realm = `http://${header(call, 'host') ?? ''}/token`;
      const headers = { 'www-authenticate': `Bearer realm="${realm}",service="bench",scope="repository:${NAME}:pull"` };
      return json({ errors: [{ code: 'UNAUTHORIZED', message: 'a token' }] }, headers, 401);
    },
  };
}

/** A review as the API server sends it, of a Pod with so many containers of one image. */
export function review(images: readonly string[], change: object = {}): string {
  const containers = images.map((image, at) => ({
    name: `c${at}`,
    image,
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    env: [
      { name: 'A', value: 'b' },
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    ],
    volumeMounts: [{ name: 'token', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
  }));
  const metadata = {
    generateName: 'web-5d4f8c9b7-',
    namespace: 'default',
    labels: { app: 'web', 'pod-template-hash': '5d4f8c9b7' },
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web-5d4f8c9b7',
        uid: '7c0e6c53-0000-0000-0000-000000000000',
        controller: true,
      },
    ],
  };
  const spec = {
    containers,
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    schedulerName: 'default-scheduler',
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
    priority: 0,
  };
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '2597e39d-6c52-4633-957f-373bad4899a4',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'default',
      operation: 'CREATE',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        groups: ['system:serviceaccounts', 'system:authenticated'],
      },
      object: { kind: 'Pod', apiVersion: 'v1', metadata, spec },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...change,
    },
  });
}
