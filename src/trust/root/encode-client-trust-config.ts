// SPDX-License-Identifier: Apache-2.0
import { CLIENT_TRUST_CONFIG_MEDIA_TYPE, type ClientTrustConfig } from './client-trust-config.ts';
import { signingConfigJson } from './encode-signing-config.ts';
import { trustedRootJson } from './encode-trusted-root.ts';

/**
 * Writes a client trust config of version 0.1: the inverse of `decodeClientTrustConfig`. One file for a machine without a network.
 *
 * @throws TrustError as `encodeTrustedRoot`
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function encodeClientTrustConfig({ trustedRoot, signingConfig }: ClientTrustConfig): Uint8Array {
  const config = {
    mediaType: CLIENT_TRUST_CONFIG_MEDIA_TYPE,
    trustedRoot: trustedRootJson(trustedRoot),
    signingConfig: signingConfigJson(signingConfig),
  };
  return new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`);
}
