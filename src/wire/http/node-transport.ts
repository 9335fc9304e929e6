// SPDX-License-Identifier: Apache-2.0
import type { Agent, AgentOptions, ClientRequest, RequestOptions } from 'node:http';
import type { AgentOptions as SecureAgentOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import { WireError } from '../wire-error.ts';
import {
  checkHost,
  hostOf,
  resolveWithin,
  systemLookup,
  type Lookup,
  type Reach,
  type ResolvedAddress,
} from './address.ts';
import { isUnknownRoot } from './failure.ts';
import { exchange } from './node-exchange.ts';
import { proxyAuthorization, proxyRules, throughProxy, type Environment, type ProxyRules } from './proxy.ts';
import {
  MAX_HEADER_BYTES,
  type HttpHeaders,
  type TlsSettings,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

const NO_TLS: TlsSettings = {};

/**
 * The transport on Node: `node:http` and `node:https` with kept connections. The modules load with the first request, since an import
 * would cost every start of the program some 20 ms.
 */
export class NodeTransport implements Transport {
  readonly #environment: Environment;
  readonly #lookup: Lookup;
  #proxies: ProxyRules | undefined;
  // One pool for connections that were made under the same rules: a connection made without a reach never serves a request with one.
  readonly #agents = new Map<TlsSettings, Map<string, Agent>>();
  readonly #needMachineRoots = new Set<TlsSettings>();

  constructor(options: TransportOptions = {}) {
    this.#environment = options.environment ?? process.env;
    this.#lookup = options.lookup ?? systemLookup;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    if (request.signal.aborted) throw request.signal.reason as Error;
    if (request.reach !== undefined) checkHost(request.url, request.reach);
    const tls = request.tls ?? NO_TLS;
    try {
      return await this.#send(request, tls);
    } catch (error) {
      if (!isUnknownRoot(error) || this.#needMachineRoots.has(tls)) throw error;
      const { mayAddMachineRoots } = await import('./tls-roots.ts');
      if (!mayAddMachineRoots(tls, this.#environment)) throw error;
      this.#needMachineRoots.add(tls);
      return this.#send(request, tls);
    }
  }

  close(): void {
    for (const agents of this.#agents.values()) for (const agent of agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #send(request: TransportRequest, tls: TlsSettings): Promise<TransportResponse> {
    this.#proxies ??= proxyRules(this.#environment);
    const { url } = request;
    const secure = url.protocol === 'https:';
    const proxy = this.#proxies.proxyFor(url);
    const headers: Record<string, string> = { host: url.host, ...request.headers, ...lengthOf(request) };
    const options: RequestOptions = {
      method: request.method,
      hostname: hostOf(url),
      port: url.port === '' ? (secure ? 443 : 80) : url.port,
      path: `${url.pathname}${url.search}`,
      headers,
      maxHeaderSize: MAX_HEADER_BYTES,
      agent: await this.#agent(secure, tls, request.reach, proxy, request.timeouts.connectMs),
    };
    // Through a proxy a name is resolved there, out of our sight: only literal addresses were checked.
    if (request.reach !== undefined && proxy === undefined) options.lookup = this.#guardedLookup(request.reach);
    if (proxy !== undefined && !secure) {
      options.hostname = hostOf(proxy);
      options.port = proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port;
      options.path = `${url.origin}${url.pathname}${url.search}`;
      const authorization = proxyAuthorization(proxy);
      if (authorization !== undefined) headers['proxy-authorization'] = authorization;
    }
    const overTls = secure || proxy?.protocol === 'https:';
    const { request: start } = process.getBuiltinModule(overTls ? 'node:https' : 'node:http');
    let outgoing: ClientRequest;
    try {
      outgoing = start(options);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
      throw new WireError('protocol-violation', `${url.host}: the request cannot be sent (${code})`, { cause });
    }
    const answered = exchange(outgoing, request);
    return proxy === undefined
      ? answered
      : answered.catch((error: unknown) => Promise.reject(throughProxy(error, proxy)));
  }

  async #agent(
    secure: boolean,
    tls: TlsSettings,
    reach: Reach | undefined,
    proxy: URL | undefined,
    connectMs: number,
  ): Promise<Agent> {
    let agents = this.#agents.get(tls);
    if (agents === undefined) this.#agents.set(tls, (agents = new Map<string, Agent>()));
    const machine = this.#needMachineRoots.has(tls);
    const key = `${secure} ${reach ?? 'any'} ${proxy?.href ?? ''} ${machine}`;
    const known = agents.get(key);
    if (known !== undefined) return known;
    const made = await this.#newAgent(secure, tls, proxy, connectMs, machine);
    const agent = agents.get(key) ?? made; // another request may have been faster
    agents.set(key, agent);
    return agent;
  }

  async #newAgent(
    secure: boolean,
    tls: TlsSettings,
    proxy: URL | undefined,
    connectMs: number,
    machine: boolean,
  ): Promise<Agent> {
    const kept: AgentOptions = { keepAlive: true, scheduling: 'lifo' };
    if (!secure) {
      if (proxy?.protocol !== 'https:') return new (process.getBuiltinModule('node:http').Agent)(kept);
      return new (process.getBuiltinModule('node:https').Agent)(kept);
    }
    const options: SecureAgentOptions = {
      ...kept,
      ...(await secureOptions(tls, this.#environment, machine)),
    };
    if (proxy === undefined) return new (process.getBuiltinModule('node:https').Agent)(options);
    const { tunnelAgent } = await import('./tunnel-agent.ts');
    return tunnelAgent(proxy, options, connectMs);
  }

  #guardedLookup(reach: Reach): LookupFunction {
    return (hostname, options, callback) => {
      const resolve = async (): Promise<void> => {
        let addresses: readonly ResolvedAddress[];
        try {
          addresses = await resolveWithin(hostname, reach, this.#lookup);
        } catch (error) {
          callback(error as NodeJS.ErrnoException, '');
          return;
        }
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
      };
      void resolve();
    };
  }
}

function lengthOf({ method, body }: TransportRequest): HttpHeaders {
  if (body === undefined)
    return method === 'POST' || method === 'PUT' || method === 'PATCH' ? { 'content-length': '0' } : {};
  return { 'content-length': String(body instanceof Uint8Array ? body.byteLength : body.length) };
}

async function secureOptions(
  tls: TlsSettings,
  environment: Environment,
  machine: boolean,
): Promise<SecureAgentOptions> {
  const { chooseRoots } = await import('./tls-roots.ts');
  const roots = chooseRoots(tls, environment, machine);
  const options: SecureAgentOptions = { rejectUnauthorized: tls.insecure !== true };
  if (tls.serverName !== undefined) options.servername = tls.serverName;
  if (roots === undefined && tls.cert === undefined) return options;
  // Parsed once for all connections: 140 roots cost some 15 ms.
  try {
    options.secureContext = process.getBuiltinModule('node:tls').createSecureContext({
      ...(roots === undefined ? {} : { ca: [...roots] }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
    });
  } catch (cause) {
    throw new WireError('tls-failed', 'the given certificates or the key cannot be used', { cause });
  }
  return options;
}
