// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { periodJson } from './period.ts';
import { SIGNING_CONFIG_MEDIA_TYPE, type Service, type ServiceChoice, type SigningConfig } from './signing-config.ts';

/**
 * Writes a signing config of version 0.2: the inverse of `decodeSigningConfig`, in the order that cosign writes.
 *
 * @example
 * await writeFile('signing_config.v0.2.json', encodeSigningConfig(config));
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function encodeSigningConfig(config: SigningConfig): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(signingConfigJson(config), undefined, 2)}\n`);
}

/** The same as part of another message. */
export function signingConfigJson(config: SigningConfig): { readonly [key: string]: Json } {
  return {
    mediaType: SIGNING_CONFIG_MEDIA_TYPE,
    caUrls: config.certificateAuthorities.map(serviceJson),
    oidcUrls: config.identityProviders.map(serviceJson),
    rekorTlogUrls: config.logs.map(serviceJson),
    rekorTlogConfig: choiceJson(config.logChoice),
    tsaUrls: config.timestampAuthorities.map(serviceJson),
    tsaConfig: choiceJson(config.timestampChoice),
  };
}

function serviceJson({ url, majorApiVersion, validFor, operator }: Service): Json {
  return {
    url,
    majorApiVersion,
    ...periodJson(validFor),
    ...(operator === '' ? {} : { operator }),
  };
}

function choiceJson(choice: ServiceChoice): Json {
  switch (choice.kind) {
    case 'none':
      return {};
    case 'any':
      return { selector: 'ANY' };
    case 'all':
      return { selector: 'ALL' };
    case 'exact':
      return { selector: 'EXACT', count: choice.count };
  }
}
