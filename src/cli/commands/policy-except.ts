// SPDX-License-Identifier: Apache-2.0
import type { ExceptionTerms } from '../../policy/index.ts';
import type { Bundle } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { parseDuration } from '../arguments/duration.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { writeFileAtomically } from '../file/write-file.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { writeJson } from '../output/json-document.ts';
import { evidenceText, madeEvidenceDocument, readEvidence, sealerDocument } from '../output/made-evidence.ts';
import { printable } from '../output/printable.ts';
import { confirmSeal } from '../seal/confirm-seal.ts';

const FLAGS = {
  lifts: {
    kind: 'strings',
    split: false,
    placeholder: 'POLICY',
    help: "name of a policy that it lifts; may be given several times; '*' alone lifts all",
  },
  reason: { kind: 'string', default: '', placeholder: 'TEXT', help: 'why; it shows in every decision' },
  approver: {
    kind: 'string',
    default: '',
    placeholder: 'NAME',
    help: 'who answers for it; it shows in every decision',
  },
  for: { kind: 'string', default: '24h', placeholder: 'DURATION', help: 'how long it counts from now on' },
  bundle: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'write the signed exception to FILE; stdout unless told',
  },
  resource: {
    kind: 'string',
    default: '',
    placeholder: 'NAME',
    help: 'write a PolicyException of that name for a cluster, with the signed exception in it',
  },
  namespace: {
    kind: 'string',
    default: 'bulla',
    placeholder: 'NAME',
    help: "the gate's own namespace, with --resource",
  },
  ...KEY_FLAG,
  ...SIGNING_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla policy except`: lets one image run though policies are not met, for a while, and says who answers for it. */
export const command: Command = defineCommand({
  name: 'policy except',
  summary: 'Sign an exception: one digest, for a while, with a reason',
  description:
    'Makes an exception from policies for one digest, which expires, names its reason and approver, and is signed. It counts where the settings name its signer, ' +
    'and needs no registry: give it beside the policies, or apply it as a resource. Key or identity as with sign.',
  usage: '[flags] [--key KEY] --lifts POLICY --reason TEXT --approver NAME IMAGE@DIGEST',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla policy except --key b.key --lifts scanned --reason INC-4711 --approver alice@example.com --bundle inc.json IMAGE@DIGEST',
    "bulla policy except --key b.key --lifts '*' --for 2h --reason INC-4711 --approver alice@example.com --resource inc IMAGE@DIGEST",
  ],
  async run(context, [image = ''], flags, given) {
    const terms = termsOf(context, flags);
    const { exceptionStatement } = await import('../../policy/index.ts');
    const payload = exceptionStatement(image, terms);
    const plan = await planSigning(context, flags, { legacy: false, given, stdinTaken: false });
    const bundle = await sign(payload, plan);
    const { encodeBundle } = await import('../../trust/index.ts');
    const sealed = JSON.parse(new TextDecoder().decode(encodeBundle(bundle))) as Json;
    const document = flags.resource === '' ? sealed : resourceOf(flags, sealed);
    const bytes = new TextEncoder().encode(`${JSON.stringify(document)}\n`);
    if (flags.bundle !== '') await writeFileAtomically(context, flags.bundle, bytes);
    await report(context, flags, { image, terms, plan, bundle, bytes });
    return EXIT.ok;
  },
});

function termsOf(context: CommandContext, flags: Flags): ExceptionTerms {
  if (flags.lifts.length === 0) throw new CliError('usage', "--lifts is required: which policies, or '*' for all?");
  if (flags.reason.trim() === '') throw new CliError('usage', '--reason is required: why?');
  if (flags.approver.trim() === '') throw new CliError('usage', '--approver is required: who answers for it?');
  const lifetime = parseDuration(flags.for);
  if (lifetime === undefined || lifetime <= 0)
    throw new CliError('usage', `--for is '${printable(flags.for)}', expected a duration such as 24h`);
  const issued = context.now();
  const expires = new Date(issued.getTime() + lifetime);
  return { policies: flags.lifts, reason: flags.reason, approver: flags.approver, issued, expires };
}

async function sign(payload: Uint8Array, plan: SigningPlan): Promise<Bundle> {
  const { decodeStatement, signBundle, statedArtifacts } = await import('../../trust/index.ts');
  const bundle = await signBundle(payload, plan.signer, plan.witnesses);
  const [artifact] = statedArtifacts(decodeStatement(payload));
  if (artifact === undefined) throw new TypeError('an exception without a digest');
  await confirmSeal(bundle, artifact, plan, 'the exception that was made');
  return bundle;
}

function resourceOf({ resource, namespace }: Flags, bundle: Json): Json {
  return {
    apiVersion: 'policy.bulla/v1alpha1',
    kind: 'PolicyException',
    metadata: { name: resource, namespace },
    spec: { bundle },
  };
}

async function report(
  context: CommandContext,
  flags: Flags,
  {
    image,
    terms,
    plan,
    bundle,
    bytes,
  }: {
    readonly image: string;
    readonly terms: ExceptionTerms;
    readonly plan: SigningPlan;
    readonly bundle: Bundle;
    readonly bytes: Uint8Array;
  },
): Promise<void> {
  const evidence = await readEvidence(bundle);
  const { policies, reason, approver, issued, expires } = terms;
  if (context.json) {
    writeJson(context, {
      exitCode: EXIT.ok,
      image,
      policies,
      reason,
      approver,
      issued: issued.toISOString(),
      expires: expires.toISOString(),
      signer: sealerDocument(plan.signer, plan.identity),
      ...madeEvidenceDocument(evidence),
      file: flags.bundle === '' ? null : flags.bundle,
      exception: JSON.parse(new TextDecoder().decode(bytes)) as Json,
      warnings: context.warnings,
    });
    return;
  }
  context.stderr(evidenceText(evidence));
  const lifted = policies.map(printable).join(', ');
  context.stderr(
    `${printable(image)}: lifts ${lifted} until ${expires.toISOString()}, approved by ${printable(approver)}\n`,
  );
  if (flags.bundle === '') context.stdout(new TextDecoder().decode(bytes));
  else context.stderr(`Wrote the exception to ${printable(flags.bundle)}\n`);
}
