// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson } from '../../wire/index.ts';
import { MessageReader } from '../bundle/proto-json.ts';
import { parseStrictObject } from '../bundle/strict-json.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { readSigningConfig, type SigningConfig } from './signing-config.ts';
import { readTrustedRoot, type TrustedRoot } from './trusted-root.ts';

/** A trusted root and a signing config in one file: all that a client needs to know of a stack. */
export interface ClientTrustConfig {
  readonly trustedRoot: TrustedRoot;
  readonly signingConfig: SigningConfig;
}

export const CLIENT_TRUST_CONFIG_MEDIA_TYPE = 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json';

const MAX_BYTES = 5 * 1024 * 1024;

/** Whether a file that is JSON says that it is a client trust config, whatever else is wrong with it. */
export function isClientTrustConfig(bytes: Uint8Array): boolean {
  const value = parseJson(bytes, { what: 'it', maxBytes: MAX_BYTES });
  return isJsonObject(value) && value['mediaType'] === CLIENT_TRUST_CONFIG_MEDIA_TYPE;
}

/**
 * Reads a client trust config of version 0.1, as strictly as its two parts.
 *
 * @param what names the file in errors
 * @throws TrustError `client-trust-config-malformed`, and what `decodeTrustedRoot` and `decodeSigningConfig` throw; the code of a broken field
 * is `client-trust-config-malformed` wherever it stands
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function decodeClientTrustConfig(bytes: Uint8Array, what: string): ClientTrustConfig {
  const fields = parseStrictObject(bytes, what, 'client-trust-config-malformed', MAX_BYTES);
  const config = new MessageReader(fields, what, 'client-trust-config-malformed');
  const mediaType = config.string('mediaType');
  const trustedRoot = config.message('trustedRoot');
  const signingConfig = config.message('signingConfig');
  config.end();
  if (mediaType !== CLIENT_TRUST_CONFIG_MEDIA_TYPE) {
    const found = mediaType === '' ? 'no media type' : `the media type '${printable(mediaType)}'`;
    throw new TrustError(
      'client-trust-config-malformed',
      `${what} has ${found}, expected ${CLIENT_TRUST_CONFIG_MEDIA_TYPE}`,
    );
  }
  if (trustedRoot === undefined) throw config.malformed('trustedRoot', 'missing');
  if (signingConfig === undefined) throw config.malformed('signingConfig', 'missing');
  return { trustedRoot: readTrustedRoot(trustedRoot), signingConfig: readSigningConfig(signingConfig) };
}
