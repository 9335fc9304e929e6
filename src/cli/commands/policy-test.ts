// SPDX-License-Identifier: Apache-2.0
import { dirname, relative, resolve } from 'node:path';
import {
  isDigest,
  openLayout,
  parseLocation,
  RegistryError,
  repositoryName,
  type Repository,
} from '../../oci/index.ts';
import type { Decision, ImageContext, PolicySet, PolicyTestCase, PolicyTests } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { readPolicyFiles } from '../flags/policy-files.ts';
import { readTrustedRoot } from '../flags/trusted-root.ts';
import { readWorkload } from '../flags/workload.ts';
import { decisionDocument } from '../output/decision-json.ts';
import { explainDecision } from '../output/decision-text.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { style } from '../output/style.ts';

interface CaseResult {
  readonly test: string;
  readonly case: PolicyTestCase;
  readonly passed: boolean;
  readonly decision: Decision;
}

/** `bulla policy test`: do policies decide as their authors expect? */
export const command: Command = defineCommand({
  name: 'policy test',
  summary: 'Run the tests that lie beside policies, offline',
  description:
    'Reads documents of kind PolicyTest: images in OCI layouts, and what is to be decided on each. Names of files are relative to the test. No socket is opened. ' +
    'Exits 0 if every case is decided as expected, 1 if not.',
  usage: '[flags] FILE...',
  arguments: { min: 1, name: 'file' },
  flags: {},
  examples: ['bulla policy test policies.test.yaml', 'bulla policy test --json policies/*.test.yaml'],
  async run(context, names) {
    const { decodePolicyTests, formatFault, YAML_LIMITS } = await import('../../policy/index.ts');
    const results: CaseResult[] = [];
    for (const file of await readPolicyFiles(context, names, YAML_LIMITS.maxBytes)) {
      const { tests, faults } = await decodePolicyTests(file);
      const [fault] = faults;
      if (fault !== undefined) throw new CliError('usage', formatFault(fault));
      const folder = dirname(resolve(context.cwd, file.name));
      for (const test of tests) results.push(...(await runTests(context, test, folder)));
    }
    const failed = results.filter(({ passed }) => !passed);
    const exitCode = failed.length === 0 && results.length > 0 ? EXIT.ok : EXIT.failure;
    if (context.json) {
      const cases = results.map(resultDocument);
      writeJson(context, {
        exitCode,
        passed: results.length - failed.length,
        failed: failed.length,
        cases,
        warnings: context.warnings,
      });
      return exitCode;
    }
    const paint = style(context.color);
    for (const { test, case: one, passed, decision } of results) {
      const title = `${passed ? paint.green('✓') : paint.red('✗')} ${printable(test)}: ${printable(one.name)}`;
      context.stdout(`${title}\n`);
      if (passed) continue;
      context.stdout(`  expected ${expectation(one)}, found ${decision.outcome} [${decision.code}] (${place(one)})\n`);
      context.stdout(explainDecision(context, decision).replaceAll(/^(?=.)/gm, '    '));
    }
    context.stdout(`${results.length - failed.length} of ${results.length} as expected\n`);
    return exitCode;
  },
});

function expectation({ expect, code }: PolicyTestCase): string {
  return code === undefined ? expect : `${expect} [${printable(code)}]`;
}

function place({ place: { file, line } }: PolicyTestCase): string {
  return `${printable(file)}:${line}`;
}

function resultDocument({ test, case: one, passed, decision }: CaseResult): object {
  const { name, expect, code, place: at } = one;
  const where = { file: at.file, line: at.line };
  return { test, name, ...where, passed, expect, code: code ?? null, decision: decisionDocument(decision) };
}

async function runTests(context: CommandContext, test: PolicyTests, folder: string): Promise<readonly CaseResult[]> {
  const { decide } = await import('../../policy/index.ts');
  const set = await loadSet(context, test, folder);
  const results: CaseResult[] = [];
  for (const one of test.cases) {
    const subject = await subjectOf(context, one, folder, set);
    const decision = await decide({ ...subject, now: test.now ?? context.now() }, set);
    const coded =
      one.code === undefined || [decision.code, decision.nearest?.code, decision.cause?.code].includes(one.code);
    results.push({ test: test.name, case: one, decision, passed: decision.outcome === one.expect && coded });
  }
  return results;
}

async function loadSet(context: CommandContext, test: PolicyTests, folder: string): Promise<PolicySet> {
  const { loadPolicies, YAML_LIMITS } = await import('../../policy/index.ts');
  const near = (file: string): string => relative(context.cwd, resolve(folder, file));
  const files = await readPolicyFiles(context, test.policies.map(near), YAML_LIMITS.maxBytes);
  const roots = new Map<string, Awaited<ReturnType<typeof readTrustedRoot>>>();
  for (const [name, file] of test.trustRoots) roots.set(name, await readTrustedRoot(context, near(file)));
  const fallback = test.trustedRoot === undefined ? undefined : await readTrustedRoot(context, near(test.trustedRoot));
  const { closedSurroundings } = await import('../flags/policy-surroundings.ts');
  return loadPolicies(files, {
    ...closedSurroundings(context),
    roots,
    ...(fallback === undefined ? {} : { fallback }),
  });
}

async function subjectOf(
  context: CommandContext,
  { image, layout, sources, resource }: PolicyTestCase,
  folder: string,
  { mirrors }: PolicySet,
): Promise<Omit<ImageContext, 'now'>> {
  const { imageName, mirrorOf } = await import('../../policy/index.ts');
  // a case names a repository as its policies do, and it is opened where it is fetched from
  const fetched = new Map([...sources].map(([name, at]) => [mirrorOf(mirrors, name), at]));
  const workload = resource === undefined ? undefined : await readWorkload(context, resolve(folder, resource));
  const opened = layout === undefined ? undefined : await openAt(layout, folder);
  const open = async (name: string): Promise<Repository> => {
    const source = fetched.get(name);
    if (source !== undefined) return (await openAt(source, folder)).repository;
    throw new RegistryError('unreachable', `${name} is no layout of this test, and no socket is opened`);
  };
  const named = opened === undefined ? image : `${repositoryName(imageName(image).reference)}@${opened.digest}`;
  return { image: named, open, ...(opened === undefined ? {} : { repository: opened.repository }), ...workload };
}

async function openAt(
  text: string,
  folder: string,
): Promise<{ readonly repository: Repository; readonly digest: string }> {
  const location = parseLocation(`oci-layout:${text}`);
  if (location.kind !== 'layout') throw new CliError('usage', `${text} is not the folder of an OCI layout`);
  const repository = await openLayout(resolve(folder, location.path), { name: location.path });
  const target = location.digest ?? location.tag ?? (await repository.soleImage()).digest;
  const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
  if (digest === undefined) throw new CliError('usage', `${text} has no tag '${target}'`);
  return { repository, digest };
}
