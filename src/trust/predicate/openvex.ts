// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { anything, below, count, filledText, list, object, oneOf, text, time, type Shape } from './shape.ts';

const vulnerability: Shape = (value, at, faults) =>
  // version 0.0.1 has its name alone
  (typeof value === 'string' ? filledText : object({ required: { name: filledText } }))(value, at, faults);

const STATEMENT = object({
  required: { vulnerability, status: oneOf('not_affected', 'affected', 'fixed', 'under_investigation') },
  optional: {
    products: list(anything),
    justification: oneOf(
      'component_not_present',
      'vulnerable_code_not_present',
      'vulnerable_code_not_in_execute_path',
      'vulnerable_code_cannot_be_controlled_by_adversary',
      'inline_mitigations_already_exist',
    ),
    impact_statement: text(),
    action_statement: text(),
    timestamp: time,
  },
});

/** What a status demands beside it. @see https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md#status-labels */
const statement: Shape = (value, at, faults) => {
  STATEMENT(value, at, faults);
  if (!isJsonObject(value)) return;
  const said = (name: string): boolean => filled(value[name]);
  if (value['status'] === 'not_affected' && !said('justification') && !said('impact_statement'))
    faults.add('predicate-member-missing', below(at, 'justification'), 'nothing', 'why it is not affected');
  if (value['status'] === 'affected' && !said('action_statement'))
    faults.add('predicate-member-missing', below(at, 'action_statement'), 'nothing', 'what is to be done about it');
};

function filled(value: Json | undefined): boolean {
  return typeof value === 'string' && value !== '';
}

/** @see https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md#document */
export const OPENVEX: Shape = object({
  required: {
    '@context': text({ pattern: /^https:\/\/openvex\.dev\/ns/, expected: 'https://openvex.dev/ns/…' }),
    '@id': filledText,
    author: filledText,
    timestamp: time,
    version: count(1),
    statements: list(statement, { least: 1 }),
  },
  optional: { role: text(), last_updated: time, tooling: text() },
});
