// SPDX-License-Identifier: Apache-2.0
import type { RequestOptions } from 'node:https';
import type * as KubernetesClient from '@kubernetes/client-node';
import type { KubeConfig } from '@kubernetes/client-node';
import { printable } from '../../trust/index.ts';
import type { TlsSettings } from '../../wire/index.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterAccess } from './http-cluster-api.ts';

/** Which cluster. */
export interface KubeconfigChoice {
  /** path of the file; without it KUBECONFIG, then `~/.kube/config` */
  readonly file?: string;
  /** name of a context; the current one unless told */
  readonly context?: string;
}

/**
 * How a kubeconfig says that a cluster is called: tokens, client certificates, exec plugins, OIDC, as the Kubernetes client reads them.
 *
 * @throws ClusterError `package-missing`, `kubeconfig-malformed`
 * @see https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
export async function kubeconfigAccess(choice: KubeconfigChoice): Promise<ClusterAccess> {
  const config = await readConfig(choice);
  const cluster = config.getCurrentCluster();
  const context = config.getContextObject(config.getCurrentContext());
  if (cluster === null || context === null) throw malformed(choice, `has no context '${config.getCurrentContext()}'`);
  if (!URL.canParse(cluster.server)) throw malformed(choice, `names a server that is no address: ${cluster.server}`);
  // what the client makes up where there is no file
  if (choice.file === undefined && cluster.server === 'http://localhost:8080')
    throw new ClusterError(
      'kubeconfig-malformed',
      'no cluster is known: no kubeconfig is named, none is at KUBECONFIG or ~/.kube/config, and this runs in no Pod',
    );
  let kept: { readonly key: string; readonly tls: TlsSettings } | undefined;
  return {
    server: new URL(cluster.server),
    namespace: context.namespace ?? 'default',
    async authorize() {
      const options: RequestOptions = {};
      try {
        await config.applyToHTTPSOptions(options);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new ClusterError('unauthorized', `no credentials for ${cluster.server}: ${printable(reason, 200)}`, {
          cause,
        });
      }
      const tls = tlsOf(options);
      const key = JSON.stringify(tls);
      // One object for as long as nothing changes: connections are kept by it.
      if (kept?.key !== key) kept = { key, tls };
      return { headers: headersOf(options), tls: kept.tls };
    },
  };
}

async function readConfig({ file, context }: KubeconfigChoice): Promise<KubeConfig> {
  let client: Pick<typeof KubernetesClient, 'KubeConfig'>;
  try {
    client = await import('@kubernetes/client-node');
  } catch (cause) {
    const hint = 'install it beside bulla: npm install @kubernetes/client-node';
    throw new ClusterError('package-missing', `a kubeconfig is read by the package @kubernetes/client-node: ${hint}`, {
      cause,
    });
  }
  const config = new client.KubeConfig();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
    if (context !== undefined) config.setCurrentContext(context);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw malformed(file === undefined ? {} : { file }, `cannot be read: ${printable(firstLine(reason), 200)}`, cause);
  }
  return config;
}

function tlsOf(options: RequestOptions): TlsSettings {
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' ? value : value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
  const [ca, cert, key] = [text(options.ca), text(options.cert), text(options.key)];
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(options.servername === undefined ? {} : { serverName: options.servername }),
    ...(options.rejectUnauthorized === false ? { insecure: true } : {}),
  };
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  const given = options.headers ?? {};
  for (const [name, value] of Object.entries(given)) if (typeof value === 'string') headers[name.toLowerCase()] = value;
  if (typeof options.auth === 'string')
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

// The parser shows the lines around a fault, and there are tokens in a kubeconfig.
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function malformed({ file }: KubeconfigChoice, problem: string, cause?: unknown): ClusterError {
  const what = file === undefined ? 'the kubeconfig' : `the kubeconfig ${file}`;
  return new ClusterError('kubeconfig-malformed', `${what} ${problem}`, cause === undefined ? {} : { cause });
}
