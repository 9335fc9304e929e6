// SPDX-License-Identifier: Apache-2.0
import { CodedError, type Json } from '../../wire/index.ts';
import type { DecisionRecord } from './ports.ts';
import type { GateTelemetry } from './telemetry.ts';

/** What a log tells. */
export interface GateLogOptions {
  /** takes one line of JSON, without its end */
  readonly write: (line: string) => void;
  /** every review; else those that were denied, warned of, or in which something was looked up */
  readonly verbose?: boolean;
  readonly now?: () => Date;
}

/** reviews that were answered from memory are told of only where each is */
const QUIET_MS = 5;

/** A log of decisions, one JSON object a line: `time`, `level`, `message` and what it is about. No object, and no secret, stands in it. */
export function createGateLog({ write, verbose = false, now = () => new Date() }: GateLogOptions): GateTelemetry {
  const line = (level: string, message: string, about: Readonly<Record<string, Json>>): void =>
    write(printed(JSON.stringify({ time: now().toISOString(), level, message, ...about })));
  return {
    began: (endpoint) => (ended) => {
      const { allowed, code, milliseconds, record } = ended;
      if (record === undefined) {
        line('warn', 'malformed review', { webhook: endpoint, code });
        return;
      }
      if (allowed && !verbose && milliseconds < QUIET_MS) return;
      const told = record();
      line(allowed ? 'info' : 'warn', allowed ? 'admitted' : 'denied', reviewJson(told));
    },
    cached: () => undefined,
    took: () => undefined,
    failed(error) {
      const code = error instanceof CodedError ? error.code : 'unexpected';
      const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
      line('error', 'the gate failed', { code, error: shown.slice(0, 4000) });
    },
  };
}

/** JSON leaves characters as they are that a terminal would obey, or that turn the reading direction. */
function printed(json: string): string {
  return json.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

function reviewJson(record: DecisionRecord): Readonly<Record<string, Json>> {
  const { review, endpoint, dryRun, operation, resource, subResource, namespace, name, generateName, user } = record;
  return {
    review,
    webhook: endpoint,
    code: record.code,
    operation,
    resource: subResource === '' ? resource : `${resource}/${subResource}`,
    namespace,
    name: name === '' ? `${generateName}*` : name,
    user,
    dryRun,
    milliseconds: Math.round(record.milliseconds * 1000) / 1000,
    ...(record.message === '' ? {} : { reason: record.message }),
    ...(record.warnings.length === 0 ? {} : { warnings: record.warnings }),
    images: record.images.slice(0, 50).map(({ field, image, decision: { outcome, code, digest, evidence } }) => ({
      field,
      image,
      outcome,
      code,
      ...(digest === undefined ? {} : { digest }),
      evidence: evidence.slice(0, 20),
    })),
  };
}
