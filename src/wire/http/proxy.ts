// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import { addressBytes, hostKind, hostOf, inNetwork } from './address.ts';

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Which requests go through which proxy. */
export interface ProxyRules {
  /** @throws WireError `unreachable` where the proxy that applies is not one that we can use */
  proxyFor(url: URL): URL | undefined;
}

/**
 * The rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case, as Go programs read them: loopback is never proxied; an entry of
 * NO_PROXY is `*`, an address, a network, a domain with its sub-domains, or with a leading dot its sub-domains only; each but `*` and
 * networks may end in a port. Unlike there, link-local addresses are never proxied either: a proxy would ask its own metadata service.
 *
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function proxyRules(environment: Environment): ProxyRules {
  const read = (name: string): string => environment[name] ?? environment[name.toLowerCase()] ?? '';
  // A CGI program gets the request header "Proxy" as HTTP_PROXY.
  const plain = environment['REQUEST_METHOD'] === undefined ? read('HTTP_PROXY') : (environment['http_proxy'] ?? '');
  const secure = read('HTTPS_PROXY');
  const exempt = read('NO_PROXY')
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '');
  return {
    proxyFor(url) {
      const text = url.protocol === 'https:' ? secure : plain;
      const kind = hostKind(url);
      if (text === '' || kind === 'loopback' || kind === 'link-local') return undefined;
      if (exempt.some((entry) => matches(entry, url))) return undefined;
      return parseProxy(text, url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
    },
  };
}

/** The value of `proxy-authorization` for the user and password in a proxy's URL. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === '' && proxy.password === '') return undefined;
  const text = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(text, 'utf8').toString('base64')}`;
}

/** A failure of a request that went through a proxy, which names the proxy: it may be the one that failed. Its user and password are not shown. */
export function throughProxy(error: unknown, proxy: URL): unknown {
  const name = `proxy ${proxy.host}`;
  if (!(error instanceof WireError) || error.message.includes(name)) return error;
  return new WireError(error.code, `${error.message} (asked through ${name})`, { cause: error.cause });
}

function parseProxy(text: string, variable: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  // The value may hold a password: the message names the variable and the scheme only.
  if (url === undefined) throw new WireError('unreachable', `${variable} is not the URL of a proxy`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new WireError(
      'unreachable',
      `${variable} names a proxy of scheme '${url.protocol}' (expected http: or https:)`,
    );
  }
  return url;
}

function matches(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const host = hostOf(url).toLowerCase().replace(/\.$/, '');
  const address = addressBytes(host);
  const [network, bits] = entry.split('/');
  if (bits !== undefined) {
    const base = addressBytes(network ?? '');
    if (base === undefined || !/^\d{1,3}$/.test(bits)) return false;
    return address !== undefined && Number(bits) <= base.length * 8 && inNetwork(address, base, Number(bits));
  }
  const { name, port } = splitPort(entry);
  if (port !== '' && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false;
  const literal = addressBytes(name);
  if (literal !== undefined) return address !== undefined && inNetwork(address, literal, literal.length * 8);
  const suffix = name.startsWith('*.') ? name.slice(1) : name;
  if (suffix === '') return false;
  return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

function splitPort(entry: string): { name: string; port: string } {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { name: bracketed[1] ?? '', port: bracketed[2] ?? '' };
  if (addressBytes(entry) !== undefined) return { name: entry, port: '' };
  const named = /^([^:]*):(\d+)$/.exec(entry);
  return named === null ? { name: entry, port: '' } : { name: named[1] ?? '', port: named[2] ?? '' };
}
