// SPDX-License-Identifier: Apache-2.0
import type { FoundImages, PolicyPreview } from '../../gate/index.ts';
import { parseReference, ReferenceFault } from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, throwIfEnded } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { loadDecisionInputs, POLICY_FLAG } from '../flags/decision.ts';
import { KIT_FLAG } from '../flags/kit.ts';
import { checkNames, checkStdin, findManifestImages, MANIFEST_FLAGS, warnOfFiles } from '../flags/manifest-files.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { manifestFaultDocument } from '../output/check-json.ts';
import { faultsText } from '../output/check-text.ts';
import { writeJson } from '../output/json-document.ts';
import { previewDocument, previewText } from '../output/preview-text.ts';

const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** `bulla policy preview`: what would become of what runs? */
export const command: Command = defineCommand({
  name: 'policy preview',
  summary: 'Say what new policies would strand before they are in force',
  description:
    'Decides on images that run, or that manifests name, by new policies and by those that are in force, and says which would be refused that are admitted now, and what else changes. ' +
    'Without --against all that runs counts as admitted now. ' +
    'Exit codes: 0 nothing is stranded, 1 something is, 2 it could not be found out of some, 64 wrong usage.',
  usage: '[flags] [--policy FILE] [--against FILE] [-f PATH]... [IMAGE...]',
  arguments: { min: 0, name: 'image' },
  gate: true,
  flags: {
    against: {
      kind: 'strings',
      split: false,
      placeholder: 'FILE',
      help: 'policies that are in force now; may be given several times',
    },
    list: {
      kind: 'string',
      default: '',
      placeholder: 'FILE',
      help: 'images that run, one a line; what stands after # is left out; - for standard input',
    },
    ...MANIFEST_FLAGS,
    ...POLICY_FLAG,
    ...KIT_FLAG,
    ...POLICY_TRUST_FLAGS,
    ...REGISTRY_FLAGS,
  },
  examples: [
    'kubectl get pods -A -o json | bulla policy preview --policy new.yaml --against policies.yaml -f -',
    'bulla policy preview --policy new.yaml --list running.txt',
  ],
  async run(context, names, flags) {
    checkNames(names);
    warnOfFiles(context, names);
    checkStdin([...flags.file, ...flags.policy, ...flags.against, flags.list]);
    const listed = flags.list === '' ? [] : await readList(context, flags.list);
    const named = [...names, ...listed];
    if (named.length + flags.file.length === 0)
      throw new CliError('usage', 'nothing to preview: name images, a --list of them, or files with -f');
    const inputs = await loadDecisionInputs(context, flags);
    const { against: old } = flags;
    const { set: against } = old.length === 0 ? {} : await loadDecisionInputs(context, { ...flags, policy: old });
    const found = await findManifestImages(context, flags);
    const { previewPolicies } = await import('../../gate/index.ts');
    const preview = await previewPolicies([...named.map((image) => ({ image })), ...found.images], {
      ...inputs,
      now: context.now(),
      signal: context.signal,
      ...(against === undefined ? {} : { against }),
    });
    throwIfEnded(context.signal);
    const exitCode = exitCodeOfPreview(preview, found);
    report(context, preview, found, exitCode);
    return exitCode;
  },
});

function exitCodeOfPreview({ images, counts }: PolicyPreview, { faults }: FoundImages): number {
  if (counts.stranded > 0) return EXIT.failure;
  const isUnread = images.length === 0 || faults.some(({ severity }) => severity === 'error');
  return counts.undecided > 0 || isUnread ? EXIT.undecided : EXIT.ok;
}

function report(context: CommandContext, preview: PolicyPreview, found: FoundImages, exitCode: number): void {
  if (context.json) {
    const faults = found.faults.map(manifestFaultDocument);
    writeJson(context, { exitCode, ...previewDocument(preview), faults, warnings: context.warnings });
    return;
  }
  context.stderr(faultsText(context, found.faults));
  context.stdout(previewText(context, preview));
}

/** Images of a list, each once. @throws CliError as `readFile`, and `usage` for a line that is no image: not with what stands there, which may be a key */
async function readList(context: CommandContext, name: string): Promise<readonly string[]> {
  const bytes =
    name === '-'
      ? await context.readStdin(MAX_LIST_BYTES)
      : await readFile(name, { cwd: context.cwd, what: 'list of images', maxBytes: MAX_LIST_BYTES });
  const images = new Set<string>();
  for (const [at, line] of new TextDecoder().decode(bytes).split('\n').entries()) {
    const image = line.replace(/#.*$/, '').trim();
    if (image === '') continue;
    if (!isReference(image))
      throw new CliError('usage', `${name === '-' ? 'standard input' : name}:${at + 1}: not an image reference`);
    images.add(image);
  }
  return [...images];
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof ReferenceFault) return false;
    throw error;
  }
}
