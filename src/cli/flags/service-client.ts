// SPDX-License-Identifier: Apache-2.0
import {
  HttpClient,
  openTransport,
  shownUrl,
  systemClock,
  type TlsSettings,
  type Transport,
} from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';

/**
 * The HTTP client for the services of signing: it ends with the command, and with `--verbose` says what is asked (never what is sent, which
 * may be a token).
 *
 * @param tls how these services are recognised, if not as the machine does it
 */
export function openServiceClient(context: CommandContext, tls?: TlsSettings): HttpClient {
  return new HttpClient({
    transport: async () => listening(context, tls, await openTransport({ environment: context.env })),
    clock: { ...systemClock, now: () => context.now().getTime() },
  });
}

/** Refuses what needs a service where no socket may be opened. @throws CliError `network-forbidden` */
export function requireNetwork(context: CommandContext, what: string): void {
  if (context.noNetwork) throw new CliError('network-forbidden', `--no-network: ${what}`);
}

function listening(context: CommandContext, tls: TlsSettings | undefined, transport: Transport): Transport {
  return {
    async request(request) {
      context.debug(`${request.method} ${shownUrl(request.url)}`);
      const signal = AbortSignal.any([request.signal, context.signal]);
      const answer = await transport.request({ ...request, signal, ...(tls === undefined ? {} : { tls }) });
      context.debug(`${answer.status} from ${request.url.host}`);
      return answer;
    },
    close: () => transport.close(),
  };
}
