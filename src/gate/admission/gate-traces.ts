// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import type { GateTelemetry } from './telemetry.ts';

/**
 * A span for each review, by OpenTelemetry, where its API is installed: which SDK exports them, and whereto, is the operator's choice.
 *
 * @returns `undefined` where it is not installed
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/
 */
export async function createGateTraces(): Promise<GateTelemetry | undefined> {
  const api = await import('@opentelemetry/api').catch(() => undefined);
  if (api === undefined) return undefined;
  const { SpanKind, SpanStatusCode, trace } = api;
  const tracer = trace.getTracer('bulla-admission');
  return {
    began(endpoint) {
      const span = tracer.startSpan(`admission ${endpoint}`, { kind: SpanKind.SERVER });
      // Nobody listens, as long as no SDK is registered.
      if (!span.isRecording()) return () => undefined;
      return ({ allowed, code, images, record }) => {
        span.setAttributes({ 'bulla.allowed': allowed, 'bulla.code': code, 'bulla.images': images });
        const told = record?.();
        if (told !== undefined) {
          span.setAttributes({
            'k8s.namespace.name': told.namespace,
            'bulla.operation': told.operation,
            'bulla.resource': told.resource,
            'bulla.dry_run': told.dryRun,
            'bulla.digests': told.images.flatMap(({ decision: { digest } }) => digest ?? []).slice(0, 50),
          });
          if (!allowed) span.setStatus({ code: SpanStatusCode.ERROR, message: told.code });
        }
        span.end();
      };
    },
    cached: () => undefined,
    took(phase, milliseconds) {
      const ended = Date.now();
      tracer.startSpan(`admission ${phase}`, { startTime: ended - milliseconds }).end(ended);
    },
    failed(error) {
      const span = tracer.startSpan('admission fault');
      span.recordException({
        name: error instanceof CodedError ? error.code : 'unexpected',
        message: 'the gate failed',
      });
      span.end();
    },
  };
}
