// SPDX-License-Identifier: Apache-2.0
import { serve, type Reply, type RunningServer, type Service, type TlsMaterial } from '../../wire/index.ts';
import type { AdmissionGate } from './admission-gate.ts';
import type { GateMetrics } from './gate-metrics.ts';
import type { TlsSource } from './ports.ts';

/** Where a gate listens. */
export interface ServeAdmissionOptions {
  readonly gate: AdmissionGate;
  readonly host: string;
  /** 0 picks a free one */
  readonly port: number;
  /** the API server speaks TLS to webhooks and nothing else; without it only what stands before the gate does */
  readonly tls?: TlsSource;
  /** on a port of its own, without TLS: nothing in it is secret, and nothing can be asked by it */
  readonly metrics?: { readonly of: GateMetrics; readonly host: string; readonly port: number };
  /** told that a certificate is in use, or is not */
  readonly onCertificate?: (error?: unknown) => void;
}

/** A gate that serves. */
export interface RunningAdmission {
  readonly address: RunningServer['address'];
  readonly metrics?: RunningServer['address'];
  /** Takes no more reviews, answers those under way. */
  close(): Promise<void>;
}

/** A review under way ends before this: it has a deadline. */
const CLOSE_MS = 31_000;

/**
 * Puts a gate on its sockets. A certificate that changes counts for connections that are opened from then on.
 *
 * @throws WireError `listen-failed`, `tls-malformed`
 */
export async function serveAdmission(options: ServeAdmissionOptions): Promise<RunningAdmission> {
  const { gate, host, port, tls, metrics, onCertificate = () => undefined } = options;
  const limits = { connections: 4096, closeMs: CLOSE_MS, idleMs: 120_000 };
  const material = await tls?.current();
  const secured = material === undefined ? {} : { tls: { material } };
  const server = await serve({ service: gate.service, host, port, limits, ...secured });
  const unwatch = tls?.watch((changed) => {
    void renew(server, changed, onCertificate);
  }, onCertificate);
  let watched: RunningServer | undefined;
  try {
    metrics?.of.watch(() => gate.state());
    if (metrics !== undefined) watched = await serve({ ...metrics, service: metricsService(metrics.of) });
  } catch (error) {
    unwatch?.();
    await server.close();
    throw error;
  }
  return {
    address: server.address,
    ...(watched === undefined ? {} : { metrics: watched.address }),
    async close() {
      unwatch?.();
      await Promise.all([server.close(), watched?.close()]);
    },
  };
}

async function renew(
  server: RunningServer,
  material: TlsMaterial,
  onCertificate: (error?: unknown) => void,
): Promise<void> {
  try {
    await server.renewTls(material);
    onCertificate();
  } catch (error) {
    onCertificate(error);
  }
}

function metricsService(metrics: GateMetrics): Service {
  const reply = (status: number, body: string, type = 'text/plain; charset=utf-8'): Reply => ({
    status,
    headers: { 'content-type': type },
    body,
  });
  return {
    async answer({ method, target }) {
      if (target.split('?', 1)[0] !== '/metrics') return reply(404, 'there is /metrics\n');
      if (method !== 'GET' && method !== 'HEAD') return reply(405, 'this is asked for with GET\n');
      const { type, text } = await metrics.render();
      return reply(200, text, type);
    },
    fault: () => reply(500, 'failed\n'),
  };
}
