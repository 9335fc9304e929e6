// SPDX-License-Identifier: Apache-2.0
import { AuthFile, type Credentials } from '../../oci/index.ts';
import { decodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import { ClusterError } from './cluster-error.ts';

const MAX_BYTES = 1024 * 1024;

/** Registry credentials out of a Secret, each for the registries that the Secret names. */
export interface PullSecret {
  /** `ns/name` */
  readonly name: string;
  /** Changes whenever the Secret does, and shows nothing of it. */
  readonly version: string;
  /** @throws RegistryError `credentials-malformed` */
  find(registry: string, repository: string): Credentials | undefined;
}

/**
 * Reads a Secret of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`. No message shows what is in it.
 *
 * @returns `undefined` for a Secret of another type, which the kubelet passes over too
 * @throws ClusterError `credentials-malformed`
 * @see https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
 */
export function readPullSecret(secret: Json): PullSecret | undefined {
  const metadata = fieldOf(secret, 'metadata');
  const name = `${textOf(metadata, 'namespace') ?? ''}/${textOf(metadata, 'name') ?? ''}`;
  const type = textOf(secret, 'type');
  const entry =
    type === 'kubernetes.io/dockerconfigjson'
      ? '.dockerconfigjson'
      : type === 'kubernetes.io/dockercfg'
        ? '.dockercfg'
        : '';
  if (entry === '') return undefined;
  const encoded = textOf(fieldOf(secret, 'data'), entry);
  if (encoded === undefined) throw malformed(name, `has no entry ${entry}`);
  let json: Json;
  try {
    json = parseJson(decodeBase64(encoded, name), { what: name, maxBytes: MAX_BYTES });
  } catch {
    throw malformed(name, `has an entry ${entry} that is not JSON in base64`);
  }
  if (!isJsonObject(json)) throw malformed(name, `has an entry ${entry} that is not an object`);
  const given = entry === '.dockercfg' ? json : (fieldOf(json, 'auths') ?? {});
  if (!isJsonObject(given)) throw malformed(name, `has an entry ${entry} of which auths is not an object`);
  const auths = given;
  return {
    name,
    version: `${textOf(metadata, 'uid') ?? ''} ${textOf(metadata, 'resourceVersion') ?? ''}`,
    find(registry, repository) {
      // Helpers (credHelpers, credsStore) are programs, and a Secret of a tenant runs none here: only auths is handed on.
      const file = new AuthFile(`the Secret ${name}`, { auths: withGlobs(auths, registry) });
      return file.credentials(registry, repository);
    },
  };
}

/** Kubernetes takes `*.example.com` for a registry; `*` stands for a part of one label. */
function withGlobs(auths: Readonly<Record<string, Json>>, registry: string): Record<string, Json> {
  const entries: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const [key, value] of Object.entries(auths)) {
    if (!key.includes('*')) entries[key] = value;
    else {
      const place = key.replace(/^https?:\/\//i, '');
      const slash = place.indexOf('/');
      const [host, path] = slash < 0 ? [place, ''] : [place.slice(0, slash), place.slice(slash).replace(/\/+$/, '')];
      // docker's own form of an address, https://host/v1/, means the host
      const rest = /^\/v[12]$/.test(path) ? '' : path;
      if (matchesHost(host, registry)) entries[`${registry}${rest}`] ??= value;
    }
  }
  return entries;
}

function matchesHost(pattern: string, registry: string): boolean {
  const [wanted, given] = [pattern, registry].map((host) => host.toLowerCase().split(':'));
  if (wanted === undefined || given === undefined || wanted[1] !== given[1]) return false;
  const [labels, names] = [(wanted[0] ?? '').split('.'), (given[0] ?? '').split('.')];
  return labels.length === names.length && labels.every((label, at) => matchesLabel(label, names[at] ?? ''));
}

/** Without backtracking: the pieces between the stars, from left to right. */
function matchesLabel(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

function malformed(name: string, problem: string): ClusterError {
  return new ClusterError('credentials-malformed', `the pull secret ${name} ${problem}`);
}
