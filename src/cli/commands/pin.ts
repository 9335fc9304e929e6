// SPDX-License-Identifier: Apache-2.0
import type { Drift, FoundImage, ManifestFault, PinnedFiles } from '../../gate/index.ts';
import type { Decision } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { loadDecisionInputs, POLICY_FLAG, type DecisionInputs } from '../flags/decision.ts';
import { KIT_FLAG } from '../flags/kit.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { checkedDocument, manifestFaultDocument } from '../output/check-json.ts';
import { faultsText } from '../output/check-text.ts';
import { writeJson } from '../output/json-document.ts';
import { driftDocument, pinDocument } from '../pin/pin-document.ts';
import { exitCodeOfPins, summarise, type PinSummary } from '../pin/pin-summary.ts';
import { checkTable, count, pinTable } from '../pin/pin-text.ts';
import { readLockFile, readPinnedPaths, type LockFile, type PinnedPaths } from '../pin/pinned-paths.ts';

/** `bulla pin`: only digests that were verified reach the files that are deployed. */
export const command: Command = defineCommand({
  name: 'pin',
  summary: 'Pin images in manifests to digests that the policies trust',
  description:
    'Finds the images in Kubernetes YAML, kustomizations, Helm values, compose files and Dockerfiles, and writes those that the policies trust as name:tag@sha256:…, touching nothing else. ' +
    'The lock beside them (bulla.lock) says who sealed what, by which policies. Without PATH, what the lock is about is taken. ' +
    '--check writes nothing: it decides anew and fails where files, lock and policies have drifted apart. --update takes what the tags of pinned images are now. ' +
    'Exit codes: 0 all is well, 1 something was refused or has drifted, 2 something could not be found out or read, 64 wrong usage.',
  usage: '[flags] [--policy FILE] [--kit DIR] [PATH...]',
  arguments: { min: 0, name: 'path' },
  flags: {
    check: {
      kind: 'boolean',
      help: 'write nothing: decide anew on what is pinned, and fail where it differs from the lock',
    },
    update: { kind: 'boolean', help: 'take what the tags of pinned images are now, where the policies trust it' },
    'dry-run': { kind: 'boolean', help: 'write nothing: print what would change, as a patch' },
    lock: {
      kind: 'string',
      default: 'bulla.lock',
      placeholder: 'FILE',
      help: 'the lock; what is pinned lies in its folder',
    },
    ...POLICY_FLAG,
    ...KIT_FLAG,
    ...POLICY_TRUST_FLAGS,
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla pin --policy policies.yaml deploy/',
    'bulla pin --policy policies.yaml --update --dry-run | git apply',
    'bulla pin --policy policies.yaml --check',
    'bulla pin --kit ./kit --check',
  ],
  gate: true,
  async run(context, args, flags) {
    if (flags.check && (flags.update || flags['dry-run']))
      throw new CliError('usage', '--check writes nothing: leave --update and --dry-run out');
    const lock = await readLockFile(context, flags.lock);
    if (flags.check && lock.lock === undefined)
      throw new CliError('file-missing', `there is no ${flags.lock}`, { hint: 'bulla pin writes it' });
    const read = await readPinnedPaths(context, args, lock);
    const policies = await loadDecisionInputs(context, flags);
    const job: Job = { lock, read, policies };
    if (flags.check) return check(context, job);
    return pin(context, job, { update: flags.update, dryRun: flags['dry-run'] });
  },
});

interface Job {
  readonly lock: LockFile;
  readonly read: PinnedPaths;
  readonly policies: DecisionInputs;
}

async function pin(
  context: CommandContext,
  { lock, read, policies }: Job,
  { update, dryRun }: { readonly update: boolean; readonly dryRun: boolean },
): Promise<number> {
  const { encodeLock, pinImages, unifiedDiff } = await import('../../gate/index.ts');
  const plan = await pinImages(read.files, {
    ...policies,
    now: context.now(),
    update,
    signal: context.signal,
    ...(lock.lock === undefined ? {} : { lock: lock.lock }),
  });
  // what was interrupted, or did not end in time, writes nothing
  throwIfLate(context, summarise(plan.places));
  const text = encodeLock({ paths: read.paths, images: plan.locked });
  const faults = [...read.faults, ...plan.faults];
  const exitCode = exitCodeOfPins(decisionsOf(plan), [], faults, plan.places.length === 0);
  const isWritten = !dryRun && plan.places.length > 0;
  if (isWritten) {
    const { writePins } = await import('../pin/write-pins.ts');
    writePins(plan.files, lock, text);
  }
  const diff = dryRun
    ? [
        ...plan.files.map(({ name, before, after }) => unifiedDiff(name, before, after)),
        ...(plan.places.length === 0 ? [] : [unifiedDiff(lock.name, lock.text, text)]),
      ].join('')
    : undefined;
  report(context, { exitCode, lock, plan, faults, isWritten, diff });
  return exitCode;
}

/** A run that ends early says of which images nothing is known yet. @throws why it ended */
function throwIfLate(context: CommandContext, images: readonly PinSummary[]): void {
  if (!context.signal.aborted) return;
  const waiting = images.filter(({ decision, newer }) => (newer ?? decision).outcome === 'undecided');
  if (exitCodeOf(context.signal.reason) === EXIT.undecided) context.stderr(pinTable(context.color, waiting));
  context.signal.throwIfAborted();
}

function decisionsOf({ places }: PinnedFiles): readonly Decision[] {
  return places.flatMap(({ decision, newer }) => (newer === undefined ? [decision] : [decision, newer]));
}

interface Report {
  readonly exitCode: number;
  readonly lock: LockFile;
  readonly plan: PinnedFiles;
  readonly faults: readonly ManifestFault[];
  readonly isWritten: boolean;
  readonly diff: string | undefined;
}

function report(context: CommandContext, { exitCode, lock, plan, faults, isWritten, diff }: Report): void {
  const images = summarise(plan.places);
  if (context.json) {
    writeJson(context, {
      exitCode,
      lock: lock.shown,
      written: isWritten,
      files: plan.files.map(({ name }) => name),
      images: images.map(pinDocument),
      locked: plan.locked,
      faults: faults.map(manifestFaultDocument),
      diff: diff ?? null,
      warnings: context.warnings,
    });
    return;
  }
  // a patch stands alone on stdout, so that it can be piped
  const say = diff === undefined ? context.stdout : context.stderr;
  say(pinTable(context.color, images) + faultsText(context, faults));
  if (diff !== undefined) context.stdout(diff);
  say(`${closing(plan, lock, isWritten)}\n`);
}

function closing({ places, files, locked }: PinnedFiles, lock: LockFile, isWritten: boolean): string {
  if (places.length === 0) return 'no image was found: nothing is pinned';
  const left = places.filter(({ action }) => action === 'left').length;
  const changed = places.filter(({ action }) => action === 'pinned' || action === 'updated').length;
  const counts = `${changed} of ${count(places.length, 'place')} ${isWritten ? 'changed' : 'would change'} in ${count(files.length, 'file')}`;
  const rest = left === 0 ? '' : `, ${left} left as ${left === 1 ? 'it is' : 'they are'}`;
  return `${counts}${rest}; ${count(locked.length, 'image')} in ${lock.shown}`;
}

async function check(context: CommandContext, { lock, read, policies }: Job): Promise<number> {
  const { checkPins } = await import('../../gate/index.ts');
  if (lock.lock === undefined) throw new CliError('file-missing', `there is no ${lock.shown}`);
  const options = { ...policies, now: context.now(), signal: context.signal };
  const { decided, drifts, faults: unread } = await checkPins(read.files, lock.lock, options);
  context.signal.throwIfAborted();
  const faults = [...read.faults, ...unread];
  const groups = Map.groupBy(decided, ({ decision }) => decision);
  const images = [...groups].map(([decision, same]) => ({ decision, found: same.map(({ found }) => found) }));
  const isEmpty = decided.length === 0 && drifts.length === 0;
  const decisions = images.map(({ decision }) => decision);
  const exitCode = exitCodeOfPins(decisions, drifts, faults, isEmpty);
  if (context.json) {
    writeJson(context, {
      exitCode,
      lock: lock.shown,
      drifts: drifts.map(driftDocument),
      images: images.map(checkedDocument),
      faults: faults.map(manifestFaultDocument),
      warnings: context.warnings,
    });
  } else {
    context.stdout(checkTable(context.color, drifts, images) + faultsText(context, faults));
    context.stdout(`${verdict(decided, decisions, drifts, isEmpty)}\n`);
  }
  return exitCode;
}

function verdict(
  decided: readonly { readonly found: FoundImage }[],
  decisions: readonly Decision[],
  drifts: readonly Drift[],
  isEmpty: boolean,
): string {
  if (isEmpty) return 'no image was found: nothing is checked';
  const trusted = decisions.filter(({ outcome }) => outcome === 'trusted').length;
  const isAsLocked = drifts.length === 0 && trusted === decisions.length;
  const drifted = isAsLocked ? 'as the lock says' : `${count(drifts.length, 'difference')} from the lock`;
  return `${trusted} of ${count(decisions.length, 'pinned image')} in ${count(decided.length, 'place')} trusted, ${drifted}`;
}
