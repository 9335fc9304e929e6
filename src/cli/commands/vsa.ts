// SPDX-License-Identifier: Apache-2.0
import { formatReference, parseReference, repositoryName } from '../../oci/index.ts';
import type { SealFormat } from '../../image/index.ts';
import type { AttachedVsa, Decision, SummaryOptions, VerificationSummary } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, throwIfEnded } from '../exit-code.ts';
import { writeFileAtomically } from '../file/write-file.ts';
import { loadDecisionInputs, POLICY_FLAG, type DecisionInputs } from '../flags/decision.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { KIT_FLAG } from '../flags/kit.ts';
import { checkStdin } from '../flags/manifest-files.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { formatsOf, SEAL_FORMAT_FLAGS } from '../flags/seal-format.ts';
import { asksForServices, planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { readWorkload } from '../flags/workload.ts';
import { decisionDocument } from '../output/decision-json.ts';
import { explainDecision } from '../output/decision-text.ts';
import { writeJson } from '../output/json-document.ts';
import { sealerDocument } from '../output/made-evidence.ts';
import { printable } from '../output/printable.ts';
import { checkSealFiles, writeSealFiles, type SealFiles } from '../output/seal-files.ts';
import { BULLA_VERSION } from '../version.ts';

const FLAGS = {
  verifier: {
    kind: 'string',
    default: 'urn:bulla:vsa',
    placeholder: 'URI',
    help: 'who says so: the URI of this gate',
  },
  'policy-uri': {
    kind: 'string',
    default: '',
    placeholder: 'URI',
    help: 'where the policies can be found; a name made of their hash unless told',
  },
  resource: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'manifest of the object that would run the image; policies with match are about no other',
  },
  output: { kind: 'string', default: '', placeholder: 'FILE', help: 'write the statement to FILE' },
  bundle: { kind: 'string', placeholder: 'FILE', help: 'write the signed summary to FILE too' },
  'no-upload': { kind: 'boolean', help: 'sign the summary and lay it nowhere: for --bundle' },
  failed: { kind: 'boolean', help: 'sign and lay a summary beside an image that is refused, too; it admits nothing' },
  ...POLICY_FLAG,
  ...KIT_FLAG,
  ...KEY_FLAG,
  ...SEAL_FORMAT_FLAGS,
  ...SIGNING_FLAGS,
  ...REGISTRY_FLAGS,
  ...POLICY_TRUST_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla vsa`: this digest met those policies, at this time. */
export const command: Command = defineCommand({
  name: 'vsa',
  summary: 'Say in a verification summary what policies decide on an image',
  description:
    'Decides on an image by policies alone, and says in a SLSA verification summary: this digest met these policies (their hash) at this time. ' +
    'The statement is printed, or with --key or signing services signed, verified and laid beside the image, for gates whose settings name the signer. ' +
    'Exit codes: 0 trusted, 1 refused, 2 could not find out, 64 wrong usage.',
  usage: '[flags] [--key KEY] --policy FILE IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  gate: true,
  flags: FLAGS,
  examples: [
    'bulla vsa --policy policies.yaml --key gate.key --verifier https://ci.example.com/gate ghcr.io/acme/app@sha256:…',
    'bulla vsa --policy policies.yaml --output vsa.json ghcr.io/acme/app:1.4',
  ],
  async run(context, [image = ''], flags, given) {
    checkStdin([...flags.policy, flags.resource]);
    const files = filesOf(context, flags, given);
    const inputs = await loadDecisionInputs(context, flags);
    const plan = await planOf(context, flags, given);
    const { decide } = await import('../../policy/index.ts');
    const workload = flags.resource === '' ? undefined : await readWorkload(context, flags.resource);
    const now = context.now();
    const decision = await decide({ image, open: inputs.open, ...workload, summaries: 'ignore', now }, inputs.set);
    throwIfEnded(context.signal);
    const made = await make(context, flags, { decision, inputs, plan, now, formats: formatsOf(flags, given) });
    if (made.attached !== undefined) await writeSealFiles(context, files, made.attached.attested, plan?.certificate);
    if (made.statement !== undefined && flags.output !== '')
      await writeFileAtomically(context, flags.output, made.statement);
    report(context, flags, { decision, plan, ...made });
    return exitCodeOfDecision(decision);
  },
});

interface Made {
  readonly summary?: VerificationSummary;
  readonly statement?: Uint8Array;
  readonly attached?: AttachedVsa;
}

function exitCodeOfDecision({ outcome }: Decision): number {
  if (outcome === 'trusted') return EXIT.ok;
  return outcome === 'refused' ? EXIT.failure : EXIT.undecided;
}

function filesOf(context: CommandContext, flags: Flags, given: ReadonlySet<string>): SealFiles {
  const files = {
    bundle: flags.bundle === '' ? undefined : flags.bundle,
    'output-payload': undefined,
    'output-signature': undefined,
    'output-certificate': undefined,
  };
  checkSealFiles(context, files, { images: 1, formats: formatsOf(flags, given) });
  if (!signs(flags) && (files.bundle !== undefined || flags['no-upload'] || flags.failed))
    throw new CliError('usage', 'nothing is signed: give --key, or the services to sign with');
  if (signs(flags) && flags.kit !== '' && !flags['no-upload'])
    throw new CliError('usage', 'a kit is not written to: give --no-upload and --bundle FILE');
  return files;
}

function signs(flags: Flags): boolean {
  return flags.key.length > 0 || asksForServices(flags) || (flags['identity-token'] ?? '') !== '';
}

async function planOf(
  context: CommandContext,
  flags: Flags,
  given: ReadonlySet<string>,
): Promise<SigningPlan | undefined> {
  if (!signs(flags)) return undefined;
  const formats = formatsOf(flags, given);
  // With a key alone --trusted-root is for the policies, and for nobody else.
  const services = flags.key.length === 0 || asksForServices(flags);
  return planSigning(context, services ? flags : { ...flags, 'trusted-root': '' }, {
    legacy: formats.includes('legacy'),
    given,
    stdinTaken: flags.policy.includes('-'),
  });
}

async function make(
  context: CommandContext,
  flags: Flags,
  {
    decision,
    inputs: { set, open },
    plan,
    now,
    formats,
  }: {
    readonly decision: Decision;
    readonly inputs: DecisionInputs;
    readonly plan: SigningPlan | undefined;
    readonly now: Date;
    readonly formats: readonly SealFormat[];
  },
): Promise<Made> {
  const { attachVsa, fetchedFrom, imageName, makeVsa, PolicyError, vsaStatement } =
    await import('../../policy/index.ts');
  const policyUri = flags['policy-uri'];
  const options: SummaryOptions = {
    verifier: flags.verifier,
    versions: { bulla: BULLA_VERSION },
    now,
    ...(policyUri === '' ? {} : { policyUri }),
  };
  let summary: VerificationSummary;
  try {
    summary = makeVsa(decision, options);
  } catch (error) {
    // of what is not trusted the decision itself is the answer
    if (!(error instanceof PolicyError) || decision.outcome === 'trusted') throw error;
    context.warn(error.message);
    return {};
  }
  const statement = vsaStatement(summary);
  if (plan === undefined || (summary.result === 'FAILED' && !flags.failed)) return { summary, statement };
  const place = fetchedFrom(set.mirrors, imageName(decision.image));
  const reference = formatReference({ ...parseReference(place), digest: summary.digest });
  const upload = !flags['no-upload'];
  const evidence = upload ? await openEvidence(context, flags, 'push') : undefined;
  const repository = upload
    ? (await openRepository(context, reference, flags, { actions: 'push' })).repository
    : await open(place);
  const attached = await attachVsa(repository, decision, {
    ...options,
    signer: plan.signer,
    witnesses: plan.witnesses,
    formats,
    upload,
    ...(plan.expectation === undefined ? {} : { expectation: plan.expectation }),
    ...(evidence === undefined ? {} : { evidence }),
  });
  return { summary, statement, attached };
}

function report(
  context: CommandContext,
  flags: Flags,
  {
    decision,
    plan,
    summary,
    statement,
    attached,
  }: Made & { readonly decision: Decision; readonly plan: SigningPlan | undefined },
): void {
  const seals = attached?.attested.seals ?? [];
  if (context.json) {
    writeJson(context, {
      exitCode: exitCodeOfDecision(decision),
      result: summary?.result ?? null,
      statement: statement === undefined ? null : (JSON.parse(new TextDecoder().decode(statement)) as unknown),
      signer: plan === undefined || attached === undefined ? null : sealerDocument(plan.signer, plan.identity),
      seals: seals.map(({ format, manifest }) => ({ format, manifest: manifest ?? null })),
      decision: decisionDocument(decision),
      warnings: context.warnings,
    });
    return;
  }
  context.stderr(explainDecision(context, decision));
  if (attached !== undefined) {
    for (const { format, manifest } of seals)
      context.stderr(
        `${summary?.result ?? ''}: signed as ${format}, ${manifest === undefined ? 'not uploaded' : manifest}\n`,
      );
    context.stdout(`${repositoryName(parseReference(decision.image))}@${attached.summary.digest}\n`);
  } else if (statement !== undefined && flags.output === '') context.stdout(`${new TextDecoder().decode(statement)}\n`);
  if (flags.output !== '' && statement !== undefined)
    context.stderr(`Wrote the statement to ${printable(flags.output)}\n`);
}
