// SPDX-License-Identifier: Apache-2.0
import { attestImages } from '../attestation/attest-images.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { ATTEST_IMAGES_FLAGS } from '../flags/attest-images.ts';
import { ATTESTED_CONTENT_FLAGS, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { predicateContent } from '../flags/attested-content.ts';
import { writeJson } from '../output/json-document.ts';
import type { BuildFacts, BuildPlatform, BuildProvenance, MissingFact } from '../../trust/index.ts';

const FLAGS = {
  ci: {
    kind: 'string',
    default: 'auto',
    choices: ['auto', 'github', 'gitlab', 'generic'],
    placeholder: 'auto|github|gitlab|generic',
    help: 'whose variables say what was built',
  },
  'builder-id': { kind: 'string', placeholder: 'URI', help: 'who ran the build; from the variables unless told' },
  'build-type': {
    kind: 'string',
    placeholder: 'URI',
    help: 'how the parameters are meant; that of the pipeline unless told',
  },
  source: { kind: 'string', placeholder: 'URI', help: 'what was built; from the variables unless told' },
  commit: { kind: 'string', placeholder: 'HEX', help: 'commit of the source; from the variables unless told' },
  'invocation-id': { kind: 'string', placeholder: 'ID', help: 'which run it was; from the variables unless told' },
  parameter: {
    kind: 'strings',
    split: false,
    placeholder: 'NAME=VALUE',
    help: 'what whoever started the build chose; may be given several times',
  },
  ...STRICT_PREDICATE_FLAG,
  'statement-version': ATTESTED_CONTENT_FLAGS['statement-version'],
  ...ATTEST_IMAGES_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla provenance`: how it was built, in SLSA's words. */
export const command: Command = defineCommand({
  name: 'provenance',
  summary: 'Say how images were built: SLSA provenance from the variables of a pipeline',
  description:
    'Makes a SLSA provenance predicate (v1) of what GitHub Actions, GitLab CI or the flags say about this build. Where no image is named it is printed; else it is attested of each, as attest --type slsaprovenance1 does. ' +
    'A generic build must say --builder-id, --build-type and --source.',
  usage: '[flags] [IMAGE...]',
  arguments: { min: 0, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla provenance --output-file provenance.json',
    'bulla provenance --yes --signing-config signing_config.json --trusted-root trusted_root.json registry.example.com/platform/demo-api@sha256:…',
    'bulla provenance --builder-id $CI_URL --build-type $CI_URL/make/v1 --source git+$REPOSITORY --key cosign.key IMAGE',
  ],
  async run(context, images, flags, given) {
    const { platform, predicate } = await provenanceOf(context, flags);
    const { PREDICATE_TYPES } = await import('../../trust/index.ts');
    const content = predicateContent(context, PREDICATE_TYPES.slsaprovenance1, predicate, flags);
    if (images.length === 0) {
      const { predicateType } = content;
      if (context.json) writeJson(context, { platform, predicateType, predicate, warnings: context.warnings });
      else context.stdout(`${JSON.stringify(predicate, null, 2)}\n`);
      return EXIT.ok;
    }
    if (!context.json)
      context.stderr(
        `provenance: what ${platform === 'generic' ? 'the flags say' : `${platform} says`} of this build\n`,
      );
    return attestImages(context, images, flags, given, { load: async () => content, stdinTaken: false });
  },
});

async function provenanceOf(context: CommandContext, flags: Flags): Promise<BuildProvenance> {
  const { buildProvenance, detectBuildPlatform } = await import('../../trust/index.ts');
  const platform = flags.ci === 'auto' ? detectBuildPlatform(context.env) : (flags.ci as BuildPlatform);
  const made = buildProvenance(context.env, platform, factsOf(flags));
  if ('predicate' in made) return made;
  throw missing(made, platform);
}

function factsOf(flags: Flags): BuildFacts {
  const facts = {
    builderId: flags['builder-id'],
    buildType: flags['build-type'],
    source: flags.source,
    commit: flags.commit,
    invocationId: flags['invocation-id'],
  };
  if (flags.commit !== undefined && flags.commit !== '' && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(flags.commit))
    throw new CliError(
      'usage',
      `--commit '${flags.commit.slice(0, 80)}' is no commit: expected 40 or 64 digits of lower-case hex`,
    );
  const given = Object.entries(facts).filter(([, value]) => value !== undefined && value !== '');
  return {
    ...(Object.fromEntries(given) as Partial<Record<keyof typeof facts, string>>),
    ...(flags.parameter.length === 0 ? {} : { parameters: parseAnnotations(flags.parameter, 'parameter') }),
  };
}

const ASKED: Readonly<Record<MissingFact['fact'], readonly [flag: string, what: string]>> = {
  builderId: ['--builder-id', 'who ran the build'],
  buildType: ['--build-type', 'how are its parameters meant'],
  source: ['--source', 'what was built'],
};

function missing({ fact, variables }: MissingFact, platform: BuildPlatform): CliError {
  const [flag, what] = ASKED[fact];
  const why =
    platform === 'generic'
      ? 'no pipeline was recognised whose variables say it'
      : `the variables ${variables.join(' and ')} of ${platform} do not say it`;
  return new CliError('usage', `${flag} is required: ${what}? ${why}`);
}
