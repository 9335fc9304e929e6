// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';

/**
 * What kind of machine an address leads to. `link-local` includes the metadata services of clouds, wherever their address lies;
 * `reserved` is multicast and what nobody routes.
 */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'reserved';

/**
 * How far a request may reach, named by the kind of address that the server has which caused it: a public server may send us to
 * public addresses only, one on this machine also to the private network.
 */
export type Reach = AddressKind;

type Range = readonly [network: string, bits: number, kind: AddressKind];

// The first match counts. Clouds: AWS, GCP and most others 169.254.169.254; Azure's wire server; Alibaba; Oracle; AWS and GCP over IPv6.
const RANGES_4: readonly Range[] = [
  ['168.63.129.16', 32, 'link-local'],
  ['100.100.100.200', 32, 'link-local'],
  ['192.0.0.192', 32, 'link-local'],
  ['0.0.0.0', 8, 'loopback'], // connecting to it reaches this machine
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'private'],
  ['224.0.0.0', 3, 'reserved'],
];

const RANGES_6: readonly Range[] = [
  ['fd00:ec2::', 32, 'link-local'],
  ['fd20:ce::254', 128, 'link-local'],
  ['::', 128, 'loopback'],
  ['::1', 128, 'loopback'],
  ['fc00::', 7, 'private'],
  ['fe80::', 10, 'link-local'],
  ['fec0::', 10, 'private'],
  ['ff00::', 8, 'reserved'],
];

// Addresses of IPv6 that carry one of IPv4, and where: mapped, compatible, NAT64, 6to4.
const CARRIERS: readonly (readonly [network: string, bits: number, at: number])[] = [
  ['::ffff:0:0', 96, 12],
  ['::', 96, 12],
  ['64:ff9b::', 96, 12],
  ['2002::', 16, 2],
];

/** The 4 or 16 bytes of a literal address, or undefined for anything else. A zone (`%eth0`) is left aside. */
export function addressBytes(text: string): Uint8Array | undefined {
  return text.includes(':') ? bytes6(text.replace(/%.*$/s, '')) : bytes4(text);
}

/** True where the address lies in the network; an address of IPv4 never lies in one of IPv6. */
export function inNetwork(address: Uint8Array, network: Uint8Array, bits: number): boolean {
  if (address.length !== network.length) return false;
  for (let at = 0; at < address.length; at++) {
    const left = bits - at * 8;
    if (left <= 0) return true;
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((address[at] ?? 0) & mask) !== ((network[at] ?? 0) & mask)) return false;
  }
  return true;
}

/** The kind of a literal address, or undefined where the text is not one. */
export function addressKind(text: string): AddressKind | undefined {
  const address = addressBytes(text);
  return address === undefined ? undefined : kindOf(address);
}

/** The host of a URL, without the brackets that an address of IPv6 wears there. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

/** What a URL's host says of itself: the kind of a literal address, `loopback` for localhost, undefined for other names. */
export function hostKind(url: URL): AddressKind | undefined {
  const host = hostOf(url);
  // RFC 6761, section 6.3: names under localhost are this machine
  if (/(?:^|\.)localhost\.?$/i.test(host)) return 'loopback';
  return addressKind(host);
}

/** Whether a request with this reach may go to an address of that kind. */
export function withinReach(reach: Reach, kind: AddressKind): boolean {
  return kind === 'public' || kind === reach || (reach === 'loopback' && kind === 'private');
}

/** @throws WireError `address-refused` where the URL's host is an address out of reach; names are checked once they are resolved */
export function checkHost(url: URL, reach: Reach): void {
  const kind = hostKind(url);
  if (kind !== undefined && !withinReach(reach, kind)) throw addressRefused(url.host, hostOf(url), kind);
}

/** The error for a host that leads where it must not. */
function addressRefused(host: string, address: string, kind: AddressKind): WireError {
  const where = host === address ? '' : ` (${address})`;
  return new WireError(
    'address-refused',
    `${host}${where} is a ${kind} address, which a server elsewhere must not send us to`,
  );
}

/** A way from a name to its addresses. */
export type Lookup = (hostname: string) => Promise<readonly ResolvedAddress[]>;
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** The machine's resolver. */
export const systemLookup: Lookup = (hostname) =>
  process.getBuiltinModule('node:dns').promises.lookup(hostname, { all: true });

/**
 * Resolves a name to those of its addresses that are within reach.
 * @throws WireError `address-refused` where none is
 */
export async function resolveWithin(
  hostname: string,
  reach: Reach,
  lookup: Lookup,
): Promise<readonly ResolvedAddress[]> {
  const found = await lookup(hostname);
  const allowed = found.filter(({ address }) => withinReach(reach, addressKind(address) ?? 'reserved'));
  if (allowed.length === 0) {
    const first = found[0]?.address ?? 'no address';
    throw addressRefused(hostname, first, addressKind(first) ?? 'reserved');
  }
  return allowed;
}

function kindOf(address: Uint8Array): AddressKind {
  if (address.length === 4) return matchRange(address, RANGES_4);
  const kind = matchRange(address, RANGES_6);
  if (kind !== 'public') return kind;
  for (const [network, bits, at] of CARRIERS) {
    if (inNetwork(address, bytes6(network) ?? new Uint8Array(), bits)) return kindOf(address.subarray(at, at + 4));
  }
  return 'public';
}

function matchRange(address: Uint8Array, ranges: readonly Range[]): AddressKind {
  for (const [network, bits, kind] of ranges) {
    const bytes = networkBytes(network);
    if (bytes !== undefined && inNetwork(address, bytes, bits)) return kind;
  }
  return 'public';
}

const networks = new Map<string, Uint8Array | undefined>();

/** The bytes of a network of our own tables, read once. */
function networkBytes(network: string): Uint8Array | undefined {
  if (!networks.has(network)) networks.set(network, addressBytes(network));
  return networks.get(network);
}

function bytes4(text: string): Uint8Array | undefined {
  if (!/^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  return parts.some((part) => part > 255) ? undefined : Uint8Array.from(parts);
}

function bytes6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups6(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups6(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

/** @param last whether a dotted quad may end this part */
function groups6(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const quad = last && index === groups.length - 1 ? bytes4(group) : undefined;
    if (quad === undefined) return undefined;
    bytes.push(...quad);
  }
  return bytes;
}
