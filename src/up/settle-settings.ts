// SPDX-License-Identifier: Apache-2.0
import type { RunningServer } from '../wire/index.ts';
import { parseUrl, type RecordedSettings } from './recorded-settings.ts';
import type { StartStackOptions } from './start-options.ts';
import { UpError } from './up-error.ts';

const DEFAULT_PLACE = { host: '127.0.0.1', port: 5080 };

/** Where to listen. A free port is picked once: what was published names it. */
export function placeOf(
  { listen }: StartStackOptions,
  recorded: RecordedSettings | undefined,
): RecordedSettings['listen'] {
  const place = listen ?? recorded?.listen ?? DEFAULT_PLACE;
  return place.port === 0 && recorded?.listen.host === place.host ? recorded.listen : place;
}

/**
 * What holds for this start: what the first one recorded, or what this one is about to.
 *
 * @throws UpError `url-differs`, `settings-differ`, `url-malformed`
 */
export function settingsOf(
  options: StartStackOptions,
  recorded: RecordedSettings | undefined,
  { address }: Pick<RunningServer, 'address'>,
): RecordedSettings {
  const { url, tls, logHost, curve, offlineRoot, onWarning } = options;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const listens = parseUrl(`${tls === undefined ? 'http' : 'https'}://${host}:${address.port}`);
  const asked = url === undefined ? undefined : parseUrl(url);
  if (recorded === undefined) {
    return {
      format: 1,
      url: asked ?? listens,
      listen: address,
      curve: curve ?? 'p256',
      offlineRoot: offlineRoot ?? false,
      ...(logHost === undefined ? {} : { logHost: checkLogHost(logHost) }),
    };
  }
  if (asked !== undefined && asked !== recorded.url) {
    throw new UpError(
      'url-differs',
      `clients know this stack as ${recorded.url}, which was recorded; --url says ${asked}`,
    );
  }
  if (logHost !== undefined && logHost !== recorded.logHost) {
    const known = recorded.logHost ?? 'one host for all shards';
    throw new UpError(
      'url-differs',
      `clients know the log by ${known}, which was recorded; --log-host says ${logHost}`,
    );
  }
  if (curve !== undefined && curve !== recorded.curve) {
    throw new UpError(
      'settings-differ',
      `the authorities' keys are ${recorded.curve}, as recorded; --curve says ${curve}`,
    );
  }
  if (offlineRoot === true && !recorded.offlineRoot) {
    throw new UpError(
      'settings-differ',
      'the keys of the roots were made to lie in this data directory; --offline-root is for a first start',
    );
  }
  if (asked === undefined && new URL(recorded.url).hostname === new URL(listens).hostname && listens !== recorded.url) {
    onWarning(`clients know this stack as ${recorded.url}; it listens at ${listens}`);
  }
  return recorded;
}

function checkLogHost(template: string): string {
  const example = template.replaceAll('{year}', '2026');
  const url = URL.parse(`http://${example}`);
  if (template.includes('{year}') && url !== null && url.hostname === example && url.host === example) return template;
  throw new UpError('url-malformed', `--log-host ${template.slice(0, 100)}: expected a host name with {year} in it`);
}
