// SPDX-License-Identifier: Apache-2.0
import { header, json, type Call, type Reply } from '../../wire/index.ts';
import type { Access, Action, Principal } from '../auth/access.ts';
import type { RegistryStorage } from '../storage/registry-storage.ts';
import type { Uploads } from '../storage/uploads.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import type { Request } from './call.ts';
import { API_VERSION } from './fault-reply.ts';
import { listReferrers, listRepositories, listTags } from './lists.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { OciFault } from './oci-fault.ts';
import { parseRoute, type Route } from './route.ts';
import { appendUpload, beginUpload, cancelUpload, finishUpload, uploadStatus } from './uploads.ts';

const METHODS: Readonly<Record<Route['kind'], readonly string[]>> = {
  base: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  tags: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  referrers: ['GET', 'HEAD'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'],
};
const NO_QUERY = new URLSearchParams();

/**
 * The distribution API over the storage: a request in, an answer out, no socket. Faults are thrown.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
 */
export class RegistryApi {
  readonly #storage: RegistryStorage;
  readonly #uploads: Uploads;
  readonly #access: Access;

  constructor(storage: RegistryStorage, uploads: Uploads, access: Access) {
    this.#storage = storage;
    this.#uploads = uploads;
    this.#access = access;
  }

  /**
   * @throws OciFault where the request is at fault; RegistryError, ReferenceFault, StoreError from below
   */
  async answer(call: Call): Promise<Reply> {
    refuseBrowser(call);
    const principal = await this.#authenticate(call);
    const mark = call.target.indexOf('?');
    const path = mark === -1 ? call.target : call.target.slice(0, mark);
    const route = parseRoute(path);
    if (route === undefined) throw new OciFault(404, 'UNSUPPORTED', 'this registry has nothing at this path');
    const methods = METHODS[route.kind];
    if (!methods.includes(call.method)) {
      const message = `${call.method} is not possible here (${methods.join(', ')} are)`;
      throw new OciFault(405, 'UNSUPPORTED', message, { headers: { allow: methods.join(', ') } });
    }
    if ('repository' in route) this.#authorize(principal, call.method, route);
    const query = mark === -1 ? NO_QUERY : new URLSearchParams(call.target.slice(mark + 1));
    const reply = await this.#dispatch({ ...call, query, principal }, route);
    return { ...reply, headers: { ...API_VERSION, ...reply.headers } };
  }

  async #dispatch(request: Request, route: Route): Promise<Reply> {
    const { method } = request;
    const storage = this.#storage;
    switch (route.kind) {
      case 'base':
        return json({});
      case 'catalog':
        return listRepositories(storage.listings, request);
      case 'tags':
        return listTags(storage.listings, request, route.repository);
      case 'referrers':
        return listReferrers(storage.listings, request, route.repository, route.digest);
      case 'manifest':
        if (method === 'PUT') return putManifest(storage, request, route.repository, route.target);
        if (method === 'DELETE') return deleteManifest(storage, request, route.repository, route.target);
        return getManifest(storage, request, route.repository, route.target);
      case 'blob':
        if (method === 'DELETE') return deleteBlob(storage, route.repository, route.digest);
        return getBlob(storage, request, route.repository, route.digest);
      case 'uploads':
        return beginUpload(storage, this.#uploads, this.#access, request, route.repository);
      default:
        return this.#upload(request, route.repository, route.id);
    }
  }

  async #upload(request: Request, repository: string, id: string): Promise<Reply> {
    switch (request.method) {
      case 'PATCH':
        return appendUpload(this.#uploads, request, repository, id);
      case 'PUT':
        return finishUpload(this.#storage, this.#uploads, request, repository, id);
      case 'DELETE':
        return cancelUpload(this.#uploads, repository, id);
      default:
        return uploadStatus(this.#uploads, repository, id);
    }
  }

  async #authenticate(call: Call): Promise<Principal> {
    const principal = await this.#access.authenticate(header(call, 'authorization'));
    if (principal === 'busy') {
      const headers = { 'retry-after': '1' };
      throw new OciFault(429, 'TOOMANYREQUESTS', 'too many logins are being checked', { headers });
    }
    if (principal !== undefined) return principal;
    throw new OciFault(401, 'UNAUTHORIZED', 'a user and a password are needed', {
      headers: { 'www-authenticate': this.#access.challenge },
    });
  }

  #authorize(principal: Principal, method: string, route: Route & { readonly repository: string }): void {
    const action = actionOf(method, route.kind);
    if (this.#access.allows(principal, action, route.repository)) return;
    throw new OciFault(403, 'DENIED', `${principal.name} may not ${action} ${route.repository}`);
  }
}

function actionOf(method: string, kind: Route['kind']): Action {
  if (kind === 'upload' || kind === 'uploads' || method === 'PUT') return 'push';
  return method === 'DELETE' ? 'delete' : 'pull';
}

/**
 * No page in a browser may write, not even to a registry without passwords on this machine. Clients send no Origin; browsers send one
 * with every request that changes something.
 *
 * @see https://fetch.spec.whatwg.org/#origin-header
 */
function refuseBrowser(call: Call): void {
  if (call.headers['origin'] === undefined || call.method === 'GET' || call.method === 'HEAD') return;
  throw new OciFault(403, 'DENIED', 'a page in a browser may not write to this registry');
}
