// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import type { ProgramAnswer } from './engine.ts';

interface RegoRule {
  readonly package: string;
  readonly name: string;
}

/** The rules that cosign's `--policy` asks for. */
export const COSIGN_RULES: readonly RegoRule[] = [{ package: 'data.signature', name: 'allow' }];

/** The rules that count in a policy document: policy-controller's, and cosign's. */
export const REGO_RULES: readonly RegoRule[] = [{ package: 'data.sigstore', name: 'isCompliant' }, ...COSIGN_RULES];

/**
 * What the value of a rule says. It is true or false; `isCompliant` may also be objects, or one, of the form
 * `{"result": true, "warning": "…", "error": "…"}`, of which one must have a result that is true.
 *
 * @param value absent where the rule is undefined on this input
 * @see https://github.com/sigstore/cosign/blob/main/pkg/cosign/rego/rego.go
 */
export function readRegoAnswer(rule: string, value: Json | undefined): ProgramAnswer {
  const name = rule.slice(rule.lastIndexOf('.') + 1);
  if (value === true) return { kind: 'approved' };
  if (value === undefined) return { kind: 'refused', found: `${name} is undefined: none of its rules holds` };
  if (value === false) return { kind: 'refused', found: `${name} is false` };
  const results = name === 'isCompliant' ? (Array.isArray(value) ? value : [value]) : [];
  if (results.length === 0 || !results.every(isJsonObject))
    return { kind: 'refused', found: `${name} is ${shown(value)}, expected true or false` };
  const passing = results.find(({ result }) => result === true);
  const warning = passing?.['warning'];
  if (passing !== undefined)
    return typeof warning === 'string' && warning !== ''
      ? { kind: 'approved', warning: line(warning) }
      : { kind: 'approved' };
  const errors = results.flatMap(({ error, warning: remark }) =>
    [error, remark].filter((text): text is string => typeof text === 'string' && text !== ''),
  );
  const why = errors.length === 0 ? `${name} is ${shown(value)}` : [...new Set(errors)].join('; ');
  return { kind: 'refused', found: line(why) };
}

function shown(value: Json): string {
  return printable(JSON.stringify(value), 100);
}

function line(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ').trim(), 400);
}

/**
 * What OPA says is wrong with a policy, in one line: `line 4: undefined function http.send`.
 *
 * @param names of the files; none where there is one
 */
export function describeRegoFault(text: string, names: readonly string[] = []): string {
  const faults = text.matchAll(/(?:^|\s)(?:\S*\/)?policy(\d+)\.rego:(\d+): (?:rego_\w+_error: )?([^\n]*)/g);
  const told = [...faults].map(([, file, number, message = '']) => {
    const name = names[Number(file) - 1];
    return `${name === undefined ? '' : `${name} `}line ${number}: ${message.trim()}${hintOn(message)}`;
  });
  return line(told.length === 0 ? text : [...new Set(told)].slice(0, 4).join('; '));
}

function hintOn(message: string): string {
  const [, name = ''] = /undefined function ([\w.]+)/.exec(message) ?? [];
  return FORBIDDEN_FUNCTIONS.includes(name) ? ' (here policies reach no network, no environment and no chance)' : '';
}

/** How far a policy was read until the fault: a later text is further than any line of an earlier one. */
export function lineOfRegoFault(text: string): number {
  const [, file = 0, row = 0] = /policy(\d+)\.rego:(\d+)/.exec(text) ?? [];
  return Number(file) * 1e9 + Number(row);
}

/**
 * What no policy may call: what reaches a network or the environment, and what is not the same each time.
 *
 * @see https://www.openpolicyagent.org/docs/latest/policy-reference/#built-in-functions
 */
export const FORBIDDEN_FUNCTIONS: readonly string[] = [
  'http.send',
  'net.lookup_ip_addr',
  'opa.runtime',
  'providers.aws.sign_req',
  'rand.intn',
  'uuid.rfc4122',
];
