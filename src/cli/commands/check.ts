// SPDX-License-Identifier: Apache-2.0
import type { CheckReport } from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT, throwIfEnded } from '../exit-code.ts';
import { CHECK_OUTPUT_FLAG, checkOutputs, writeCheck } from '../flags/check-output.ts';
import { loadDecisionInputs, POLICY_FLAG } from '../flags/decision.ts';
import { laySummaries, planSummaries, SUMMARY_FLAG } from '../flags/check-summary.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { KIT_FLAG } from '../flags/kit.ts';
import { checkNames, checkStdin, findManifestImages, MANIFEST_FLAGS, warnOfFiles } from '../flags/manifest-files.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';

/** `bulla check`: may all that this names run? */
export const command: Command = defineCommand({
  name: 'check',
  summary: 'Decide on every image that manifests, charts, compose files and Dockerfiles name',
  description:
    'Finds every image with its file, line and field, decides on each once by policies, and reports in the forms that pipelines show. ' +
    'What cannot be read is told of and makes the whole undecided: templates that are not rendered and belong to no chart, variables without a value, images of which a part is elsewhere. ' +
    'Exit codes: 0 all are trusted, 1 one is refused, 2 one is undecided or could not be read, 64 wrong usage.',
  usage: '[flags] [--policy FILE] [-f PATH]... [IMAGE...]',
  arguments: { min: 0, name: 'image' },
  gate: true,
  flags: {
    ...MANIFEST_FLAGS,
    ...CHECK_OUTPUT_FLAG,
    'skip-unreadable': {
      kind: 'boolean',
      help: 'what could not be read is a warning: only the images that were found are judged',
      weakens: 'images in what cannot be read are not judged',
    },
    ...SUMMARY_FLAG,
    'allow-empty': { kind: 'boolean', help: 'that no image is found is well' },
    ...KEY_FLAG,
    ...SIGNING_FLAGS,
    ...POLICY_FLAG,
    ...KIT_FLAG,
    ...POLICY_TRUST_FLAGS,
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla check --policy policies.yaml -f deploy/',
    'helm template ./chart | bulla check --policy policies.yaml -f -',
    'bulla check --policy policies.yaml -f deploy/ --output github --output sarif=bulla.sarif',
    'bulla check --policy policies.yaml ghcr.io/acme/app:1.4',
    'bulla check --policy policies.yaml --vsa https://ci.example.com/gate --key gate.key -f deploy/',
  ],
  async run(context, names, flags, given) {
    if (names.length + flags.file.length === 0)
      throw new CliError('usage', 'nothing to check: name images, or files with -f');
    checkNames(names);
    warnOfFiles(context, names);
    checkStdin([...flags.file, ...flags.policy]);
    const outputs = checkOutputs(context, flags);
    const signing = await planSummaries(context, flags, given);
    const inputs = await loadDecisionInputs(context, flags);
    const found = await findManifestImages(context, flags);
    const { checkImages } = await import('../../gate/index.ts');
    const report = await checkImages(
      { named: names, ...found },
      {
        ...inputs,
        now: context.now(),
        signal: context.signal,
        skipUnreadable: flags['skip-unreadable'],
        allowEmpty: flags['allow-empty'],
        // no summary may be made of another
        ...(signing === undefined ? {} : { summaries: 'ignore' }),
      },
    );
    // What a signal interrupted is no answer; that the time was up is one.
    throwIfEnded(context.signal);
    const summaries =
      signing === undefined ? undefined : await laySummaries(context, flags, report, signing, inputs.set);
    const verdict = exitCodeOfReport(report);
    const exitCode = verdict === EXIT.ok && summaries?.failed === true ? EXIT.undecided : verdict;
    await writeCheck(context, outputs, report, { exitCode, summaries: summaries?.laid ?? [] });
    return exitCode;
  },
});

function exitCodeOfReport({ outcome }: CheckReport): number {
  if (outcome === 'trusted') return EXIT.ok;
  return outcome === 'refused' ? EXIT.failure : EXIT.undecided;
}
