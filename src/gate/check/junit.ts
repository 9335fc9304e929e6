// SPDX-License-Identifier: Apache-2.0
import type { Decision } from '../../policy/index.ts';
import type { ImagePlace } from '../manifest/found-image.ts';
import { messageOf, reasonOf, type CheckReport } from './check-report.ts';
import { ruleText } from './finding-rules.ts';
import { shown } from './shown.ts';

/** A case: an image at a place, or something that could not be read. */
interface TestCase {
  readonly suite: string;
  readonly name: string;
  readonly place?: ImagePlace;
  readonly fault?: { readonly kind: 'failure' | 'error'; readonly type: string; readonly message: string };
  readonly said?: string;
}

/**
 * A report as JUnit's XML: a suite for each file, a case for each image in it. What is refused is a failure, what could not be found out or
 * read an error.
 *
 * @see https://github.com/testmoapp/junitxml
 */
export function encodeJunit(report: CheckReport): string {
  const suites = [...Map.groupBy(casesOf(report), ({ suite }) => suite)];
  const all = suites.flatMap(([, cases]) => cases);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="bulla check" ${countsOf(all)}>`,
    ...suites.flatMap(([name, cases]) => [
      `  <testsuite name=${quoted(name)} ${countsOf(cases)}>`,
      ...cases.flatMap(linesOf),
      '  </testsuite>',
    ]),
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

function casesOf({ images, faults }: CheckReport): readonly TestCase[] {
  const judged = images.flatMap(({ decision, found }) => {
    const about = aboutDecision(decision);
    if (found.length === 0) return [{ ...about, suite: 'images' }];
    return found.map(({ place }) => ({ ...about, suite: place.file, place }));
  });
  const unread = faults.map(({ severity, code, place, message }): TestCase => ({
    suite: place.file,
    name: code,
    place,
    ...(severity === 'error' ? { fault: { kind: 'error', type: code, message } } : { said: message }),
  }));
  const cases = [...judged, ...unread];
  if (cases.length > 0) return cases;
  return [
    { suite: 'images', name: 'no-image', fault: { kind: 'error', type: 'no-image', message: ruleText('no-image') } },
  ];
}

function aboutDecision(decision: Decision): Omit<TestCase, 'suite'> {
  const said = decision.warnings.length === 0 ? {} : { said: decision.warnings.join('; ') };
  if (decision.outcome === 'trusted') return { name: decision.image, ...said };
  const kind = decision.outcome === 'refused' ? 'failure' : 'error';
  return {
    name: decision.image,
    fault: { kind, type: reasonOf(decision), message: messageOf(decision) },
    ...said,
  };
}

function countsOf(cases: readonly TestCase[]): string {
  const count = (kind: string): number => cases.filter(({ fault }) => fault?.kind === kind).length;
  return `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}"`;
}

function linesOf({ suite, name, place, fault, said }: TestCase): readonly string[] {
  const at = place === undefined ? '' : ` file=${quoted(place.file)} line="${place.line}"`;
  const title = place === undefined || place.field === '' ? name : `${name} (${place.field})`;
  const open = `    <testcase name=${quoted(title)} classname=${quoted(suite)} time="0"${at}`;
  const inside = [
    ...(fault === undefined
      ? []
      : [
          `      <${fault.kind} type=${quoted(fault.type)} message=${quoted(fault.message)}>${escaped(fault.message)}</${fault.kind}>`,
        ]),
    ...(said === undefined ? [] : [`      <system-out>${escaped(said)}</system-out>`]),
  ];
  return inside.length === 0 ? [`${open}/>`] : [`${open}>`, ...inside, '    </testcase>'];
}

function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

/** Control characters, of which XML cannot hold most, are gone by then. */
function escaped(text: string): string {
  return shown(text, 2000).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
