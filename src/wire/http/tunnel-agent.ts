// SPDX-License-Identifier: Apache-2.0
import type { Agent, AgentOptions, RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { WireError } from '../wire-error.ts';
import { hostOf } from './address.ts';
import { transportFailure } from './failure.ts';
import { proxyAuthorization } from './proxy.ts';

type Connected = (error: Error | null, stream: Duplex) => void;

/**
 * Connections to https servers through a proxy's CONNECT. The proxy's password goes to the proxy only, never into the tunnel.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
export function tunnelAgent(proxy: URL, options: AgentOptions, connectMs: number): Agent {
  const https = process.getBuiltinModule('node:https');
  class TunnelAgent extends https.Agent {
    override createConnection(target: RequestOptions, connected?: Connected): undefined {
      void this.#connect(target, connected);
    }

    async #connect(target: RequestOptions, connected?: Connected): Promise<void> {
      let secure: Duplex;
      try {
        const socket = await connectThrough(proxy, target, connectMs);
        // With a socket given this is the ordinary TLS connection, only inside the tunnel.
        secure = super.createConnection({ ...target, socket } as RequestOptions) as Duplex;
      } catch (error) {
        connected?.(error as Error, undefined as never);
        return;
      }
      connected?.(null, secure);
    }
  }
  return new TunnelAgent(options);
}

function connectThrough(proxy: URL, target: RequestOptions, connectMs: number): Promise<Duplex> {
  const host = target.host ?? target.hostname ?? '';
  const authority = `${host.includes(':') ? `[${host}]` : host}:${target.port ?? 443}`;
  const authorization = proxyAuthorization(proxy);
  const { request } = process.getBuiltinModule(proxy.protocol === 'https:' ? 'node:https' : 'node:http');
  return new Promise((resolve, reject) => {
    const outgoing = request({
      method: 'CONNECT',
      hostname: hostOf(proxy),
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
      path: authority,
      agent: false,
      headers: { host: authority, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
    });
    const refuse = (status: number | undefined): void => {
      outgoing.destroy();
      reject(
        new WireError('unreachable', `proxy ${proxy.host} does not connect us to ${authority} (status ${status})`),
      );
    };
    const timer = setTimeout(() => {
      const message = `proxy ${proxy.host} did not connect us to ${authority} within ${connectMs} ms`;
      outgoing.destroy(new WireError('timeout', message));
    }, connectMs);
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.once('connect', (response, socket) => {
      clearTimeout(timer);
      if (response.statusCode === 200) resolve(socket);
      else refuse(response.statusCode);
    });
    outgoing.once('response', (response) => refuse(response.statusCode));
    outgoing.once('error', (error) => reject(transportFailure(error, `proxy ${proxy.host}`)));
    outgoing.end();
  });
}
