// SPDX-License-Identifier: Apache-2.0
import type { Attestation, Verdict } from '../../image/index.ts';
import { readUnsignedSbom } from '../attestation/read-unsigned-sbom.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { throwIfEnded } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { loadExpectedSigners, type LoadedSigners } from '../flags/expected-signers.ts';
import { IDENTITY_FLAGS } from '../flags/identity.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { PKI_FLAGS } from '../flags/pki.ts';
import { platformTarget } from '../flags/platform.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { TRUST_FLAGS } from '../flags/trust.ts';
import { attestationDocument, explainAttestations } from '../output/attestation-verdict.ts';
import { writeJson } from '../output/json-document.ts';
import { warnOfFaults } from '../output/predicate-faults.ts';
import { printable } from '../output/printable.ts';
import { exitCodeOfVerdict, rejectionCodes } from '../output/verdict-exit-code.ts';
import { verdictDocument } from '../output/verdict-json.ts';
import { judgeByLatest } from '../verdict/judge-by-latest.ts';

const FLAGS = {
  type: {
    kind: 'string',
    default: '',
    choices: ['', 'spdx', 'cyclonedx'],
    placeholder: 'spdx|cyclonedx',
    help: 'kind of SBOM; either unless told',
  },
  platform: {
    kind: 'string',
    default: '',
    placeholder: 'OS/ARCH',
    help: 'of an index, the SBOM of the image for this platform, for example linux/arm64',
  },
  unsigned: {
    kind: 'boolean',
    help: 'print an SBOM that lies beside the image as it is: nobody vouches for it, and nothing is verified',
  },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: 'prefix of the .att tag, or with --unsigned of the .sbom tag',
  },
  ...STRICT_PREDICATE_FLAG,
  ...KEY_FLAG,
  ...IDENTITY_FLAGS,
  ...PKI_FLAGS,
  ...TRUST_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** What SBOMs are attested as: by this and other programs, with and without the version of the document. */
const TYPES = { spdx: 'https://spdx.dev/Document', cyclonedx: 'https://cyclonedx.org/bom' } as const;

/** `bulla sbom get`: the SBOM that somebody vouches for. */
export const command: Command = defineCommand({
  name: 'sbom get',
  summary: 'Fetch the SBOM of an image, verified',
  description:
    'Finds the SBOM attestations of the image, in both formats and wherever they lie, and prints the SBOM of the first that is by whom one expects: a key or an identity, as with verify. ' +
    'Exit codes are those of verify-attestation. Of an SBOM that nobody has signed nothing is printed, unless --unsigned asks for it.',
  usage: '[flags] --key KEY IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla sbom get --key cosign.pub registry.example.com/platform/demo-api:1.4 > sbom.json',
    'bulla sbom get --identities who.yaml --trusted-root root.json --type cyclonedx --platform linux/arm64 IMAGE',
  ],
  async run(context, [image = ''], flags, given) {
    if (flags.unsigned) {
      const other = [...given].find((name) => Object.hasOwn(IDENTITY_FLAGS, name) || name === 'key' || name === 'type');
      if (other !== undefined) throw new CliError('usage', `--unsigned verifies nothing: leave --${other} out`);
      return readUnsignedSbom(context, image, flags);
    }
    checkTagPrefix(flags);
    const opened = await openRepository(context, image, flags, { actions: 'pull' });
    const expected = await loadExpectedSigners(context, flags, 'sbom get');
    if (expected.origin !== undefined && !context.json) context.stderr(`trust: ${expected.origin.text}\n`);
    const target = await platformTarget(opened, flags.platform);
    const { asked, judged: verdict } = await judgeByLatest(expected, {
      ask: (options) => loadExpectedSigners(context, flags, 'sbom get', options),
      judge: (signers) => verify(context, opened, target, signers, flags),
      codesOf: (answer) => rejectionCodes(answer),
    });
    if (verdict.kind === 'undecided') throwIfEnded(context.signal);
    report(context, { image, repository: opened.repository.name, verdict }, asked, flags);
    return exitCodeOfVerdict(verdict);
  },
});

async function verify(
  context: CommandContext,
  { repository }: OpenedRepository,
  target: string,
  { signers }: LoadedSigners,
  flags: Flags,
): Promise<Verdict<Attestation>> {
  const { GatheredEvidence } = await import('../../image/index.ts');
  const evidence = await openEvidence(context, flags, 'pull');
  const maxSealBytes = maxAttachmentSize(context);
  const gathered = new GatheredEvidence(repository, target, {
    attestations: true,
    tagPrefix: flags['attachment-tag-prefix'],
    ...(evidence === undefined ? {} : { evidence }),
    ...(maxSealBytes === undefined ? {} : { limits: { maxSealBytes } }),
  });
  const wanted = flags.type === 'spdx' || flags.type === 'cyclonedx' ? [TYPES[flags.type]] : Object.values(TYPES);
  return gathered.attestations(
    { signers, strictPredicate: flags['strict-predicate'] },
    {
      async accept({ statement: { predicateType } }) {
        if (wanted.some((type) => predicateType === type || predicateType.startsWith(`${type}/`))) return undefined;
        const found = printable(predicateType).slice(0, 200);
        return { code: 'predicate-type-mismatch', found, expected: `an SBOM: ${wanted.join(' or ')}` };
      },
    },
  );
}

function report(
  context: CommandContext,
  answer: { readonly image: string; readonly repository: string; readonly verdict: Verdict<Attestation> },
  { signers, origin }: LoadedSigners,
  flags: Flags,
): void {
  const { verdict } = answer;
  if (context.json) {
    writeJson(context, verdictDocument([answer], context.warnings, { signers }, origin, attestationDocument));
    return;
  }
  if (verdict.kind !== 'trusted') {
    const type = flags.type === 'cyclonedx' ? 'cyclonedx' : 'spdxjson';
    context.stderr(explainAttestations(context, answer, type));
    return;
  }
  const [{ statement, faults, place, format }] = verdict.seals;
  warnOfFaults(context, faults, `the SBOM in ${place.manifest}`);
  context.stderr(
    `Verified: ${printable(statement.predicateType)} of ${verdict.digest}, from the ${format} in ${place.manifest}\n`,
  );
  const { predicate } = statement;
  context.stdout(typeof predicate === 'string' ? predicate : `${JSON.stringify(predicate ?? null, null, 2)}\n`);
}
