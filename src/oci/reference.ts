// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest } from './digest.ts';
import { ReferenceFault, type ReferenceFaultCode } from './error.ts';
import { quoted } from './quoted.ts';

/**
 * Where an image is, parsed once at the door.
 * @see https://github.com/distribution/reference/blob/main/reference.go for the grammar
 */
export interface Reference {
  /** `host[:port]` in lower case, as signatures name it: Docker Hub is `index.docker.io` */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DOCKER_HUB = 'index.docker.io';
const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([DOCKER_HUB, 'docker.io', 'registry-1.docker.io']);

const LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-f:]+\\])(?::[0-9]{1,5})?$`);
const REPOSITORY = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const IMAGE_ID = /^[0-9a-f]{64}$/;

const MAX_HOST = 255;
const MAX_REPOSITORY = 255;
// host, repository, tag, digest and what separates them
const MAX_TEXT = MAX_HOST + MAX_REPOSITORY + 128 + 135 + 3;

interface Fault {
  readonly code: ReferenceFaultCode;
  readonly reason: string;
}

/**
 * Parses an image reference by docker's rules: without a host it is on Docker Hub, there a single name is under `library/`, and a tag
 * and a digest may stand together. Nothing is filled in for a missing tag: see {@link targetOf}.
 *
 * One rule is cosign's instead: a first component with upper-case letters and neither `.` nor `:` (`MyOrg/app`) is a misspelt
 * repository, not a host.
 *
 * @throws ReferenceFault `reference-malformed`, `tag-malformed`, `digest-malformed`; it names the nearest spelling that would do
 * @example
 * parseReference('ghcr.io/acme/app:1.2') // { registry: 'ghcr.io', repository: 'acme/app', tag: '1.2' }
 * parseReference('alpine')               // { registry: 'index.docker.io', repository: 'library/alpine' }
 */
export function parseReference(text: string): Reference {
  const outcome = read(text);
  if (!('reason' in outcome)) return outcome;
  const nearest = nearestSpelling(text);
  const hint = nearest === undefined ? '' : `. Did you mean ${quoted(nearest)}?`;
  throw new ReferenceFault(
    outcome.code,
    `${quoted(withoutPassword(text))} is not an image reference: ${outcome.reason}${hint}`,
  );
}

/** The whole reference as text. `parseReference` gives the same reference back. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** `registry/repository`: what signatures carry as docker-reference. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** What to ask the repository for: the digest, else the tag, else `latest`. */
export function targetOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/** The same reference at a digest. A tag stays with it as a remark; from then on the digest decides. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { ...reference, digest };
}

/** `host[:port]` that serves the API of a reference's registry. Docker Hub's differs from its name. */
export function registryHost(reference: Pick<Reference, 'registry'>): string {
  return reference.registry === DOCKER_HUB ? 'registry-1.docker.io' : reference.registry;
}

/** True for the path of a repository as it stands after the host (`team/app`). */
export function isRepositoryPath(text: string): boolean {
  return text.length <= MAX_REPOSITORY && REPOSITORY.test(text);
}

/** True for a well-formed tag. @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * Checks a tag that is about to be written.
 * @throws ReferenceFault `tag-malformed`
 */
export function parseTag(text: string): string {
  if (isTag(text)) return text;
  throw new ReferenceFault('tag-malformed', `${quoted(text)} is not a tag (${TAG_RULE})`);
}

const TAG_RULE = 'at most 128 letters, digits, _ . and -, the first a letter, digit or _';

function read(text: string): Reference | Fault {
  if (text === '') return malformed('it is empty');
  if (text.length > MAX_TEXT) return malformed(`it has ${text.length} characters, at most ${MAX_TEXT} are possible`);
  if (text.includes('://')) return malformed('a reference has no scheme');
  if (/^[./~\\]/.test(text))
    return malformed('it looks like a path (a layout on disk is written oci-layout:DIR[:TAG])');
  const [tagged, digest] = cut(text, text.indexOf('@'));
  const [name, tag] = cut(tagged, colonOfTag(tagged));
  if (digest !== undefined && !isDigest(digest)) {
    return { code: 'digest-malformed', reason: `what follows the '@' is not a digest (expected ${DIGEST_RULE})` };
  }
  if (tag !== undefined && !isTag(tag)) {
    const found = tag === '' ? "nothing follows the ':'" : `${quoted(tag)} is not a tag`;
    return { code: 'tag-malformed', reason: `${found} (${TAG_RULE})` };
  }
  const place = readName(name);
  if ('reason' in place) return place;
  return { ...place, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

const DIGEST_RULE = 'sha256:<64 hex> or sha512:<128 hex> in lower case';

function readName(name: string): { readonly registry: string; readonly repository: string } | Fault {
  if (name === '') return malformed('it names no repository');
  if (IMAGE_ID.test(name))
    return malformed('64 hexadecimal digits are an image ID, expected REPOSITORY@sha256:<64 hex>');
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const hasHost = /[.:]/.test(first) || first.toLowerCase() === 'localhost';
  const host = hasHost ? first.toLowerCase() : DOCKER_HUB;
  const path = hasHost ? name.slice(slash + 1) : name;
  const registry = DOCKER_HUB_NAMES.has(host) ? DOCKER_HUB : host;
  if (!isHost(registry)) return malformed(`${quoted(first)} is not a registry (expected HOST or HOST:PORT)`);
  const repository = registry === DOCKER_HUB && path !== '' && !path.includes('/') ? `library/${path}` : path;
  return faultOfRepository(path, repository) ?? { registry, repository };
}

function faultOfRepository(path: string, repository: string): Fault | undefined {
  if (path === '') return malformed('it names a registry and no repository');
  if (repository.length > MAX_REPOSITORY) {
    return malformed(`its repository has ${repository.length} characters, at most ${MAX_REPOSITORY} are allowed`);
  }
  if (REPOSITORY.test(repository)) return undefined;
  if (/[A-Z]/.test(path)) return malformed(`the repository ${quoted(path)} has upper-case letters`);
  const component = path.split('/').find((part) => !REPOSITORY.test(part)) ?? path;
  if (component === '') return malformed(`the repository ${quoted(path)} has an empty component`);
  return malformed(
    `${quoted(component)} cannot stand in a repository (lower-case letters and digits, separated by one of . _ __ or by dashes)`,
  );
}

function isHost(text: string): boolean {
  // The URL parser is stricter about what looks like an address (256.1.1.1, [::::]) and about ports.
  return text.length <= MAX_HOST && HOST.test(text) && !/:0+$/.test(text) && URL.canParse(`http://${text}/`);
}

/** The place of the colon before a tag; -1 where there is none. A colon before a slash, or in brackets, belongs to the host. */
function colonOfTag(text: string): number {
  const colon = text.lastIndexOf(':');
  return colon > Math.max(text.lastIndexOf('/'), text.lastIndexOf(']')) ? colon : -1;
}

function cut(text: string, at: number): readonly [string, string | undefined] {
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function malformed(reason: string): Fault {
  return { code: 'reference-malformed', reason };
}

/** One slip each; they are mended in this order until the text reads as a reference. */
const MENDED: readonly ((text: string) => string)[] = [
  (text) => text.trim(),
  (text) => text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, ''),
  (text) => text.replace(/^[^/@:]+:[^/@]+@(?=[^/]+\/)/, ''),
  (text) => text.replace(/[:@]sha256[:-]([0-9a-f]{64})$/i, (_, hex: string) => `@sha256:${hex.toLowerCase()}`),
  (text) => text.replace(/@([0-9a-f]{64})$/i, (_, hex: string) => `@sha256:${hex.toLowerCase()}`),
  (text) => text.replace(/[:@]$/, ''),
  // the slash behind a host stays: `host:5000` alone would be an image of Docker Hub
  (text) => text.replaceAll(/\/{2,}/g, '/').replace(/(?<=^[^.:]*|\/.*)\/(?=$|[:@])/, ''),
  lowerCaseName,
];

function lowerCaseName(text: string): string {
  const [tagged, digest] = cut(text, text.indexOf('@'));
  const [name, tag] = cut(tagged, colonOfTag(tagged));
  return name.toLowerCase() + (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function nearestSpelling(text: string): string | undefined {
  if (text.length > MAX_TEXT) return undefined;
  let candidate = text;
  for (const mend of MENDED) {
    candidate = mend(candidate);
    if (candidate !== text && !('reason' in read(candidate))) return candidate;
  }
  return undefined;
}

/** `user:password@host/…` without what must not be shown. */
function withoutPassword(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:]*):.*@(?!sha(?:256|512):)/is, '$1:***@')
    .replace(/^([^/@:]+):[^/@]+@(?=[^/]+\/)/, '$1:***@');
}
