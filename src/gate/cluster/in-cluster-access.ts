// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment, TlsSettings } from '../../wire/index.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterAccess } from './http-cluster-api.ts';

/** where Kubernetes puts what a Pod needs to call the API server */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews a token when a fifth of its life is left; a minute late is early enough (ms). */
const TOKEN_AGE = 60_000;

/**
 * How a Pod calls the API server of its cluster. Read here rather than by the Kubernetes client, which takes 0.7 s and 80 MB to load.
 *
 * @returns `undefined` outside of a Pod
 * @throws ClusterError `kubeconfig-malformed` where a part is missing
 * @see https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
 */
export async function inClusterAccess(env: Environment, folder: string = FOLDER): Promise<ClusterAccess | undefined> {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '';
  if (host === '' || port === '') return undefined;
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(server))
    throw malformed(`KUBERNETES_SERVICE_HOST and _PORT are no address: ${server.slice(0, 80)}`);
  const part = async (name: string): Promise<string> => {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch (cause) {
      throw malformed(`this Pod has no ${join(folder, name)}: is its service account mounted?`, cause);
    }
  };
  const namespace = await part('namespace');
  let tls: TlsSettings = { ca: [await part('ca.crt')] };
  let token = await part('token');
  let readAt = performance.now();
  return {
    server: new URL(server),
    namespace,
    async authorize() {
      if (performance.now() - readAt > TOKEN_AGE) {
        readAt = performance.now();
        token = await part('token');
        const ca = await part('ca.crt');
        if (ca !== tls.ca?.[0]) tls = { ca: [ca] };
      }
      return { headers: { authorization: `Bearer ${token}` }, tls };
    },
  };
}

function malformed(message: string, cause?: unknown): ClusterError {
  return new ClusterError('kubeconfig-malformed', message, cause === undefined ? {} : { cause });
}
