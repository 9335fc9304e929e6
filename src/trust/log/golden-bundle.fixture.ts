// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { decodeBundle } from '../bundle/decode-bundle.ts';
import { decodeCertificate } from '../certificate/certificate.ts';
import { decodePublicKey } from '../key/public-key.ts';
import type { LoggedSignature } from './logged-signature.ts';
import type { TransparencyLog } from './transparency-log.ts';

// What the real cosign wrote against a private Sigstore, and what that Sigstore is trusted by.

export const GOLDEN: string = join(import.meta.dirname, '../../../test/golden');

/** The trusted root of that Sigstore, as JSON. */
interface RootJson {
  readonly tlogs: readonly {
    readonly baseUrl: string;
    readonly publicKey: { readonly rawBytes: string; readonly validFor: { readonly start: string } };
    readonly logId: { readonly keyId: string };
  }[];
}

export function goldenLogs(): readonly TransparencyLog[] {
  const { tlogs }: RootJson = JSON.parse(readFileSync(join(GOLDEN, '_stack/trusted_root.json'), 'utf8'));
  return tlogs.map(({ baseUrl, publicKey, logId }) => ({
    baseUrl,
    publicKey: decodePublicKey(Buffer.from(publicKey.rawBytes, 'base64'), baseUrl),
    logId: Buffer.from(logId.keyId, 'base64'),
    validFor: { start: new Date(publicKey.validFor.start) },
  }));
}

/** The recorded bundles of these folders that have log entries or timestamps, by their path. */
export function goldenBundles(folders: readonly string[]): ReadonlyMap<string, Bundle> {
  const paths = folders.flatMap((folder) => filesOf(folder));
  return new Map(
    paths.flatMap((path) => {
      const bytes = readFileSync(join(GOLDEN, path));
      const isBundle =
        bytes.includes('"verificationMaterial"') && /tlogEntries|rfc3161Timestamps/.test(bytes.toString());
      return isBundle ? [[path, decodeBundle(bytes, path)] as const] : [];
    }),
  );
}

export function signatureOf({ content }: Bundle): Uint8Array {
  return content.kind === 'message' ? content.signature : (content.envelope.signatures[0]?.sig ?? Buffer.alloc(0));
}

/** The signature of a recorded bundle; those of keys are all by one, those of blobs all of one. */
export function loggedIn(bundle: Bundle): LoggedSignature {
  const { material, content } = bundle;
  const key = decodePublicKey(readFileSync(join(GOLDEN, '_keys/cosign.pub')), 'cosign.pub');
  const [leaf = Buffer.alloc(0)] = material.kind === 'certificate' ? material.chain : [];
  return {
    signature: signatureOf(bundle),
    verifier:
      material.kind === 'public-key'
        ? { kind: 'public-key', key }
        : { kind: 'certificate', certificate: decodeCertificate(leaf, 'the leaf') },
    content:
      content.kind === 'dsse'
        ? { kind: 'envelope', envelope: content.envelope }
        : { kind: 'bytes', bytes: readFileSync(join(GOLDEN, '_inputs/blob.txt')) },
  };
}

function filesOf(path: string): readonly string[] {
  if (!statSync(join(GOLDEN, path)).isDirectory()) return path.endsWith('transcript.txt') ? [] : [path];
  return readdirSync(join(GOLDEN, path)).flatMap((name) => filesOf(`${path}/${name}`));
}
