// SPDX-License-Identifier: Apache-2.0
import type { CheckedImage, CheckReport } from '../../gate/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { Decision, PolicySet } from '../../policy/index.ts';
import { CodedError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { printable } from '../output/printable.ts';
import { BULLA_VERSION } from '../version.ts';
import { openRepository, type RegistryFlagValues } from './registry.ts';
import { SIGNING_FLAGS } from './signing.ts';
import { planSigning, type SigningFlags, type SigningPlan } from './signing-plan.ts';

/** Whether a check is put down in writing, beside the images. */
export const SUMMARY_FLAG = {
  vsa: {
    kind: 'string',
    default: '',
    placeholder: 'URI',
    help: 'lay a signed verification summary (SLSA VSA) beside each image that is trusted; the URI names this gate in it',
  },
} as const;

/** A summary that was laid beside an image. */
export interface LaidSummary {
  readonly image: string;
  readonly digest: Digest;
  /** of the bundles that hold it */
  readonly bundles: readonly Digest[];
}

type SummaryFlags = SigningFlags & RegistryFlagValues & { readonly vsa: string; readonly kit: string };

/**
 * Who signs summaries; `undefined` where none are asked for.
 *
 * @throws CliError `usage`; as `planSigning`
 */
export async function planSummaries(
  context: CommandContext,
  flags: SummaryFlags,
  given: ReadonlySet<string>,
): Promise<SigningPlan | undefined> {
  if (flags.vsa === '') {
    requireNoSigning(given);
    return undefined;
  }
  if (!URL.canParse(flags.vsa))
    throw new CliError('usage', `--vsa is '${flags.vsa.slice(0, 80)}', expected a URI that names this gate`);
  if (flags.kit !== '') throw new CliError('usage', '--vsa writes to the registry, and --kit opens no socket');
  return planSigning(context, flags, { legacy: false, given, stdinTaken: true });
}

/** Policies say whose seals count: a key that decides nothing must not look as if it did. */
function requireNoSigning(given: ReadonlySet<string>): void {
  const shared: ReadonlySet<string> = new Set(['yes', 'trusted-root']);
  const idle = ['key', ...Object.keys(SIGNING_FLAGS)].find((name) => given.has(name) && !shared.has(name));
  if (idle === undefined) return;
  throw new CliError('usage', `--${idle} is for signing verification summaries, and --vsa asks for none`, {
    hint: 'whose seals count is said by the policies (--policy)',
  });
}

/**
 * Lays a summary beside each image that is trusted, where that is fetched from. Of one that none can be made for, or that cannot be written, a warning says so.
 *
 * @returns those that were laid, and whether any could not be
 */
export async function laySummaries(
  context: CommandContext,
  flags: SummaryFlags,
  { images }: CheckReport,
  plan: SigningPlan,
  { mirrors }: Pick<PolicySet, 'mirrors'>,
): Promise<{ readonly laid: readonly LaidSummary[]; readonly failed: boolean }> {
  const laid: LaidSummary[] = [];
  let failed = false;
  for (const { decision } of onceEach(images)) {
    context.signal.throwIfAborted();
    try {
      laid.push(await laySummary(context, flags, decision, plan, mirrors));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      failed = true;
      context.warn(`--vsa: ${printable(decision.image)}: ${printable(error.message)}`);
    }
  }
  return { laid, failed };
}

// one digest may have been decided on under several names of one repository, or by what different objects need
function onceEach(images: readonly CheckedImage[]): readonly CheckedImage[] {
  const trusted = images.filter(({ decision }) => decision.outcome === 'trusted');
  const key = ({ decision }: CheckedImage): string => `${decision.image} ${decision.digest} ${decision.policyHash}`;
  return [...new Map(trusted.map((image) => [key(image), image])).values()];
}

async function laySummary(
  context: CommandContext,
  flags: SummaryFlags,
  decision: Decision,
  plan: SigningPlan,
  mirrors: PolicySet['mirrors'],
): Promise<LaidSummary> {
  const { attachVsa, fetchedFrom, imageName } = await import('../../policy/index.ts');
  // where a gate looks for it
  const place = fetchedFrom(mirrors, imageName(decision.image));
  const { repository } = await openRepository(context, place, flags, { actions: 'push' });
  const { summary, attested } = await attachVsa(repository, decision, {
    verifier: flags.vsa,
    versions: { bulla: BULLA_VERSION },
    now: context.now(),
    signer: plan.signer,
    witnesses: plan.witnesses,
    ...(plan.expectation === undefined ? {} : { expectation: plan.expectation }),
  });
  return { image: decision.image, digest: summary.digest, bundles: attested.seals.map(({ digest }) => digest) };
}
