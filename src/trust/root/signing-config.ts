// SPDX-License-Identifier: Apache-2.0
import { MessageReader } from '../bundle/proto-json.ts';
import { parseStrictObject } from '../bundle/strict-json.ts';
import { describeTime, isWithin, type ValidityPeriod } from '../certificate/validity-period.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { readPeriod } from './period.ts';

/**
 * With which services one signs.
 *
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export interface SigningConfig {
  readonly certificateAuthorities: readonly Service[];
  readonly identityProviders: readonly Service[];
  readonly logs: readonly Service[];
  /** how many of the logs take each signature */
  readonly logChoice: ServiceChoice;
  readonly timestampAuthorities: readonly Service[];
  readonly timestampChoice: ServiceChoice;
}

/** One service. */
export interface Service {
  /** what paths are added to; of a timestamp authority the whole URL */
  readonly url: string;
  /** for example 2 of Rekor v2 */
  readonly majorApiVersion: number;
  /** when it may be used; always, if absent */
  readonly validFor?: ValidityPeriod;
  /** who runs it; empty if nobody says */
  readonly operator: string;
}

/** How many services are used: any one, all that fit, or a number of them. None where nothing is said. */
export type ServiceChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'all' }
  | { readonly kind: 'exact'; readonly count: number };

export const SIGNING_CONFIG_MEDIA_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';

const MAX_BYTES = 1024 * 1024;
const MAX_SERVICES = 256;

/**
 * Reads a signing config of version 0.2, strictly: no unknown field, none twice.
 *
 * @param what names the file in errors
 * @throws TrustError `signing-config-malformed`, `signing-config-unsupported`; WireError `too-large`, `json-too-deep`, `json-malformed`
 * @example
 * const config = decodeSigningConfig(await readFile('signing_config.v0.2.json'), 'signing_config.v0.2.json');
 */
export function decodeSigningConfig(bytes: Uint8Array, what: string): SigningConfig {
  const fields = parseStrictObject(bytes, what, 'signing-config-malformed', MAX_BYTES);
  return readSigningConfig(new MessageReader(fields, what, 'signing-config-malformed'));
}

/** The same of a message that is part of another. */
export function readSigningConfig(config: MessageReader): SigningConfig {
  const mediaType = config.string('mediaType');
  if (mediaType !== SIGNING_CONFIG_MEDIA_TYPE) {
    const found = mediaType === '' ? 'no media type' : `the media type '${printable(mediaType)}'`;
    throw new TrustError(
      'signing-config-unsupported',
      `${config.what} has ${found}, expected ${SIGNING_CONFIG_MEDIA_TYPE}`,
    );
  }
  const services = (name: string): readonly Service[] => config.messages(name, MAX_SERVICES).map(readService);
  const read: SigningConfig = {
    certificateAuthorities: services('caUrls'),
    identityProviders: services('oidcUrls'),
    logs: services('rekorTlogUrls'),
    logChoice: readChoice(config.message('rekorTlogConfig')),
    timestampAuthorities: services('tsaUrls'),
    timestampChoice: readChoice(config.message('tsaConfig')),
  };
  config.end();
  return read;
}

function readService(message: MessageReader): Service {
  const url = message.string('url');
  const majorApiVersion = message.count('majorApiVersion');
  const validFor = readPeriod(message.message('validFor'));
  const operator = message.string('operator');
  message.end();
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw message.malformed('url', 'no URL of http or https');
  return { url, majorApiVersion, ...(validFor === undefined ? {} : { validFor }), operator };
}

function readChoice(message: MessageReader | undefined): ServiceChoice {
  const selector = message?.take('selector') ?? 0;
  const count = message?.count('count') ?? 0;
  message?.end();
  switch (selector) {
    case 0:
    case 'SERVICE_SELECTOR_UNDEFINED':
      return { kind: 'none' };
    case 1:
    case 'ALL':
      return { kind: 'all' };
    case 2:
    case 'ANY':
      return { kind: 'any' };
    case 3:
    case 'EXACT':
      if (message !== undefined && count === 0) throw message.malformed('count', '0 with the selector EXACT');
      return { kind: 'exact', count };
    default:
      throw new TrustError(
        'signing-config-malformed',
        `${message?.what ?? 'it'}.selector is none of ANY, ALL and EXACT`,
      );
  }
}

/**
 * The services to use: of those that are valid now, those of the highest version that is spoken here; of each operator the one that began
 * last; newest first, and of these as many as the choice wants.
 *
 * @param versions major versions of the API that the caller speaks
 * @throws TrustError `service-missing` if there are fewer than the choice wants. With no service listed and any one wanted, none is the
 * answer: so a config says that there is no log.
 * @example
 * const [log] = chooseServices(config.logs, config.logChoice, { versions: [1, 2], now: new Date(), what: 'transparency log' });
 */
export function chooseServices(
  services: readonly Service[],
  choice: ServiceChoice,
  options: { readonly versions: readonly number[]; readonly now: Date; readonly what: string },
): readonly Service[] {
  const { versions, now, what } = options;
  if (services.length === 0) {
    if (choice.kind === 'exact') throw missing(what, 0, choice.count);
    return [];
  }
  // To use none would leave out a check that the config seems to want.
  if (choice.kind === 'none')
    throw new TrustError(
      'service-missing',
      `the signing config lists ${services.length} of the kind ${what}, and not how many of them to use`,
    );
  const usable = services.filter(
    ({ majorApiVersion, validFor }) =>
      versions.includes(majorApiVersion) && (validFor === undefined || isWithin(validFor, now)),
  );
  const highest = Math.max(...usable.map(({ majorApiVersion }) => majorApiVersion));
  const newest = usable
    .filter(({ majorApiVersion }) => majorApiVersion === highest)
    .toSorted((a, b) => startOf(b) - startOf(a));
  const operators = new Set<string>();
  const distinct = newest.filter(({ operator }) => !operators.has(operator) && operators.add(operator));
  if (distinct.length === 0)
    throw new TrustError(
      'service-missing',
      `the signing config lists ${services.length} of the kind ${what}, and none that is valid at ${describeTime(now)} and speaks version ${versions.join(' or ')}`,
    );
  if (choice.kind === 'all') return distinct;
  const count = choice.kind === 'any' ? 1 : choice.count;
  if (distinct.length < count) throw missing(what, distinct.length, count);
  return distinct.slice(0, count);
}

function startOf({ validFor }: Service): number {
  return validFor?.start.getTime() ?? 0;
}

function missing(what: string, found: number, count: number): TrustError {
  return new TrustError(
    'service-missing',
    `the signing config wants ${count} operators of the kind ${what}, and ${found} can be used`,
  );
}
