// SPDX-License-Identifier: Apache-2.0
import type { Gauge as PromGauge, Registry } from 'prom-client';
import { CodedError } from '../../wire/index.ts';
import type { JudgeState } from './judge-limits.ts';
import type { GateTelemetry } from './telemetry.ts';

/** What a gate counts, for Prometheus. */
export interface GateMetrics {
  readonly telemetry: GateTelemetry;
  /** Whose memory and queue is shown. */
  watch(state: () => JudgeState): void;
  /** in the text format of Prometheus, with its content type */
  render(): Promise<{ readonly type: string; readonly text: string }>;
  /** for further metrics of the same process */
  readonly registry: Registry;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of a gate. The library loads only here. */
export async function createGateMetrics(): Promise<GateMetrics> {
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const reviews = new Counter({
    name: 'bulla_admission_reviews_total',
    help: 'Reviews by webhook, answer and code.',
    labelNames: ['webhook', 'allowed', 'code'] as const,
    registers,
  });
  const latency = new Histogram({
    name: 'bulla_admission_review_seconds',
    help: 'Seconds from the first byte of a review to its answer.',
    labelNames: ['webhook'] as const,
    buckets: SECONDS,
    registers,
  });
  const phases = new Histogram({
    name: 'bulla_admission_phase_seconds',
    help: 'Seconds of one verification by phase: queue, resolve, recheck, verify.',
    labelNames: ['phase'] as const,
    buckets: SECONDS,
    registers,
  });
  const lookups = new Counter({
    name: 'bulla_admission_verdicts_total',
    help: 'Verdicts by how they came about: hit, rechecked, joined, miss.',
    labelNames: ['how'] as const,
    registers,
  });
  const faults = new Counter({
    name: 'bulla_admission_faults_total',
    help: 'Failures of the gate itself, by code.',
    labelNames: ['code'] as const,
    registers,
  });
  const underWay = new Gauge({
    name: 'bulla_admission_reviews_under_way',
    help: 'Reviews that are being answered.',
    registers,
  });
  let state: () => JudgeState = () => ({ verdicts: 0, bytes: 0, running: 0, waiting: 0 });
  const shown = (name: string, help: string, value: (of: JudgeState) => number): void => {
    const gauge: PromGauge = new Gauge({ name, help, registers: [], collect: () => gauge.set(value(state())) });
    registry.registerMetric(gauge);
  };
  shown('bulla_admission_kept_verdicts', 'Verdicts that are kept.', ({ verdicts }) => verdicts);
  shown('bulla_admission_kept_bytes', 'Bytes of verdicts that are kept, estimated.', ({ bytes }) => bytes);
  shown('bulla_admission_verifications_running', 'Verifications under way.', ({ running }) => running);
  shown('bulla_admission_verifications_waiting', 'Verifications that wait their turn.', ({ waiting }) => waiting);
  // Found once: looking labels up costs more than counting.
  const latencies = { mutate: latency.labels('mutate'), validate: latency.labels('validate') };
  const counted = new Map<string, { inc(): void }>();
  let reviewing = 0;
  underWay.set(0);
  return {
    registry,
    watch(of) {
      state = of;
    },
    async render() {
      underWay.set(reviewing);
      return { type: registry.contentType, text: await registry.metrics() };
    },
    telemetry: {
      began(webhook) {
        reviewing += 1;
        return ({ allowed, code, milliseconds }) => {
          reviewing -= 1;
          latencies[webhook].observe(milliseconds / 1000);
          const key = `${webhook} ${allowed} ${code}`;
          const counter = counted.get(key) ?? reviews.labels(webhook, String(allowed), code);
          counted.set(key, counter);
          counter.inc();
        };
      },
      cached: (how) => lookups.inc({ how }),
      took: (phase, milliseconds) => phases.observe({ phase }, milliseconds / 1000),
      failed: (error) => faults.inc({ code: error instanceof CodedError ? error.code : 'unexpected' }),
    },
  };
}
