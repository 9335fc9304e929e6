// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, WireError, type Json } from '../../wire/index.ts';
import { ReviewFault } from './admission-error.ts';

/** The version of AdmissionReview that is spoken. */
export const REVIEW_VERSION = 'admission.k8s.io/v1';

/** An object's kind or resource, with its group (empty for the core group) and version. */
export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

type JsonObject = { readonly [key: string]: Json };

/** What the API server asks. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: GroupVersion & { readonly kind: string };
  readonly resource: GroupVersion & { readonly resource: string };
  /** empty where the object itself is meant */
  readonly subResource: string;
  /** empty for objects of the whole cluster */
  readonly namespace: string;
  /** empty where it is still to be generated */
  readonly name: string;
  readonly operation: Operation;
  readonly user: { readonly username: string; readonly groups: readonly string[] };
  /** `null` where something is deleted or connected to */
  readonly object: JsonObject | null;
  readonly oldObject: JsonObject | null;
  /** nothing may be written for it anywhere */
  readonly dryRun: boolean;
}

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** Caps on one review. What the API server takes from clients has 3 MiB at most; a review carries it twice. */
export const REVIEW_LIMITS: { readonly maxBytes: number; readonly maxDepth: number; readonly maxValues: number } = {
  maxBytes: 8 * 1024 * 1024,
  maxDepth: 200,
  maxValues: 500_000,
};

const OPERATIONS: ReadonlySet<string> = new Set(['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] satisfies Operation[]);
const MAX_UID = 256;
const MAX_GROUPS = 10_000;

/**
 * Reads an AdmissionReview v1 that asks something.
 *
 * @throws WireError `too-large`, `json-too-deep`, `json-malformed`; ReviewFault, with the `uid` where there is one
 * @see https://pkg.go.dev/k8s.io/api/admission/v1#AdmissionReview
 */
export function decodeReview(bytes: Uint8Array): AdmissionRequest {
  const review = parseReview(bytes);
  if (!isJsonObject(review)) throw new ReviewFault('the body is no JSON object, expected an AdmissionReview');
  const request = review['request'];
  const uid = uidOf(request);
  if (review['kind'] !== 'AdmissionReview')
    throw new ReviewFault(`the body is of kind ${shown(review['kind'])}, expected AdmissionReview`, uid);
  if (review['apiVersion'] !== REVIEW_VERSION)
    throw new ReviewFault(`the review is of version ${shown(review['apiVersion'])}, expected ${REVIEW_VERSION}`, uid);
  if (!isJsonObject(request)) throw new ReviewFault('the review has no request');
  if (uid === undefined) throw new ReviewFault(`request.uid is ${shown(request['uid'])}, expected a text`);
  return decodeRequest(request, uid);
}

function parseReview(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, { what: 'the body', ...REVIEW_LIMITS });
  } catch (error) {
    // A review that is too deep or large to be judged still wants its answer, but its uid cannot be read.
    if (error instanceof WireError && error.code === 'json-malformed') throw new ReviewFault(error.message);
    throw error;
  }
}

function decodeRequest(request: JsonObject, uid: string): AdmissionRequest {
  const fault = (what: string): ReviewFault => new ReviewFault(what, uid);
  const text = (of: JsonObject, name: string, at: string): string => {
    const value = of[name] ?? '';
    if (typeof value !== 'string') throw fault(`${at}${name} is ${shown(value)}, expected a text`);
    return value;
  };
  const group = (name: 'kind' | 'resource'): JsonObject => {
    const value = request[name];
    if (!isJsonObject(value)) throw fault(`request.${name} is ${shown(value)}, expected group, version and ${name}`);
    return value;
  };
  const object = (name: 'object' | 'oldObject'): JsonObject | null => {
    const value = request[name] ?? null;
    if (value !== null && !isJsonObject(value)) throw fault(`request.${name} is ${shown(value)}, expected an object`);
    return value;
  };
  const operation = text(request, 'operation', 'request.');
  if (!isOperation(operation))
    throw fault(`request.operation is ${shown(operation)}, expected CREATE, UPDATE, DELETE or CONNECT`);
  const dryRun = request['dryRun'] ?? false;
  if (typeof dryRun !== 'boolean') throw fault(`request.dryRun is ${shown(dryRun)}, expected true or false`);
  const kind = group('kind');
  const resource = group('resource');
  const decoded: AdmissionRequest = {
    uid,
    kind: {
      group: text(kind, 'group', 'request.kind.'),
      version: text(kind, 'version', 'request.kind.'),
      kind: text(kind, 'kind', 'request.kind.'),
    },
    resource: {
      group: text(resource, 'group', 'request.resource.'),
      version: text(resource, 'version', 'request.resource.'),
      resource: text(resource, 'resource', 'request.resource.'),
    },
    subResource: text(request, 'subResource', 'request.'),
    namespace: text(request, 'namespace', 'request.'),
    name: text(request, 'name', 'request.'),
    operation,
    user: userOf(request['userInfo'], fault),
    object: object('object'),
    oldObject: object('oldObject'),
    dryRun,
  };
  const needed = operation === 'CREATE' || operation === 'UPDATE';
  if (needed && decoded.object === null) throw fault(`request.object is missing, expected what ${operation} is about`);
  if (operation === 'UPDATE' && decoded.oldObject === null)
    throw fault('request.oldObject is missing, expected what the object was before');
  const { resource: pods, kind: pod, subResource } = decoded;
  if (needed && pods.group === '' && pods.resource === 'pods' && subResource === '' && pod.kind !== 'Pod')
    throw fault(`request.kind is ${shown(pod.kind)}, expected Pod as in request.resource`);
  return needed ? { ...decoded, ...typedObjects(decoded, fault) } : decoded;
}

/** Where the images of an object stand follows from what it is: the API server says that beside it, and nothing in the object says otherwise. */
function typedObjects(
  { kind: { group, version, kind }, object, oldObject }: AdmissionRequest,
  fault: (what: string) => ReviewFault,
): Pick<AdmissionRequest, 'object' | 'oldObject'> {
  const type = { apiVersion: group === '' ? version : `${group}/${version}`, kind };
  const typed = (of: JsonObject | null, name: string): JsonObject | null => {
    if (of === null) return null;
    for (const field of ['apiVersion', 'kind'] as const) {
      const said = of[field] ?? type[field];
      if (said !== type[field])
        throw fault(`request.${name}.${field} is ${shown(said)}, expected ${shown(type[field])} as in request.kind`);
    }
    return { ...of, ...type };
  };
  return { object: typed(object, 'object'), oldObject: typed(oldObject, 'oldObject') };
}

function userOf(info: Json | undefined, fault: (what: string) => ReviewFault): AdmissionRequest['user'] {
  if (info === undefined || info === null) return { username: '', groups: [] };
  const malformed = (): ReviewFault => fault('request.userInfo is not one, expected username and groups');
  if (!isJsonObject(info)) throw malformed();
  const { username = '', groups } = info;
  if (typeof username !== 'string') throw malformed();
  const listed = groups ?? [];
  if (!Array.isArray(listed) || listed.length > MAX_GROUPS) throw malformed();
  return { username, groups: (listed as readonly Json[]).filter((group) => typeof group === 'string') };
}

function isOperation(text: string): text is Operation {
  return OPERATIONS.has(text);
}

function uidOf(request: Json | undefined): string | undefined {
  if (!isJsonObject(request)) return undefined;
  const { uid } = request;
  return typeof uid === 'string' && uid !== '' && uid.length <= MAX_UID ? uid : undefined;
}

function shown(value: Json | undefined): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return JSON.stringify(value).slice(0, 80);
}
