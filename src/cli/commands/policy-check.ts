// SPDX-License-Identifier: Apache-2.0
import type { ClusterImagePolicy, ImageName, PolicyDocuments, Preparation } from '../../policy/index.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { faultDocument, readPolicyFiles, showFaults } from '../flags/policy-files.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

/** `bulla policy check`: are these policies valid, can they be evaluated here, and what are they about? */
export const command: Command = defineCommand({
  name: 'policy check',
  summary: 'Check files of policies, and say what they are about',
  description:
    'Reads ClusterImagePolicy, TrustRoot, PolicySettings, and the Secrets and ConfigMaps that they refer to. Every fault is told with file, line and field. ' +
    'Exits 0 for valid documents, also where something of them cannot be evaluated here (a key that is elsewhere, a language without engine), which is told; what decides refuses to load those. ' +
    'With --strict it exits 1 for them too. No socket is opened.',
  usage: '[flags] FILE...',
  arguments: { min: 1, name: 'file' },
  flags: {
    image: {
      kind: 'strings',
      split: false,
      placeholder: 'IMAGE',
      help: 'say which policies match this image; may be given several times',
    },
    strict: { kind: 'boolean', help: 'refuse what cannot be evaluated here' },
  },
  examples: [
    'bulla policy check policies.yaml',
    'bulla policy check --strict policies/*.yaml',
    'bulla policy check --image ghcr.io/acme/app:1.4 policies.yaml',
    'kubectl get clusterimagepolicies --output yaml | bulla policy check -',
  ],
  async run(context, names, flags) {
    const { offlineSurroundings } = await import('../flags/policy-surroundings.ts');
    const { decodePolicyDocuments, formatFault, imageName, preparePolicies, YAML_LIMITS } =
      await import('../../policy/index.ts');
    const images = flags.image.map((image) => imageName(image));
    const documents = await decodePolicyDocuments(await readPolicyFiles(context, names, YAML_LIMITS.maxBytes));
    const preparation = await preparePolicies(documents, offlineSurroundings(context));
    const matched = await matchesOf(documents, images);
    const exitCode = exitCodeOf(preparation, flags.strict);
    if (context.json) {
      const document = {
        exitCode,
        valid: !preparation.faults.some(({ severity }) => severity === 'error'),
        policies: documents.policies.map((policy) => policyDocument(policy, matched)),
        trustRoots: documents.trustRoots.map(({ name }) => name),
        faults: preparation.faults.map(faultDocument),
        warnings: context.warnings,
      };
      writeJson(context, document);
      return exitCode;
    }
    context.stderr(showFaults(context, preparation.faults, formatFault));
    for (const policy of documents.policies) context.stdout(describe(policy));
    for (const [image, policies] of matched) context.stdout(describeMatch(image, policies));
    if (documents.policies.length === 0) context.warn('there is no ClusterImagePolicy in these files');
    return exitCode;
  },
});

function exitCodeOf({ faults }: Preparation, strict: boolean): number {
  const refused = faults.some(({ severity }) => severity === 'error' || (strict && severity === 'gap'));
  return refused ? EXIT.failure : EXIT.ok;
}

type Matched = ReadonlyMap<ImageName, readonly ClusterImagePolicy[]>;

async function matchesOf({ policies }: PolicyDocuments, images: readonly ImageName[]): Promise<Matched> {
  const { matchesGlob } = await import('../../policy/index.ts');
  const about = (image: ImageName): readonly ClusterImagePolicy[] =>
    policies.filter((policy) => policy.images.some((glob) => matchesGlob(glob, image)));
  return new Map(images.map((image) => [image, about(image)]));
}

function policyDocument(policy: ClusterImagePolicy, matched: Matched): object {
  const { name, place, mode, images, match, authorities } = policy;
  return {
    name,
    file: place.file,
    line: place.line,
    mode,
    images: images.map(({ source }) => source),
    resources: match.map(({ group, version, resource, selector }) => ({
      group,
      version,
      resource,
      selector: selector !== undefined,
    })),
    authorities: authorities.map((authority) => ({ name: authority.name, kind: authority.kind })),
    matches: [...matched].filter(([, policies]) => policies.includes(policy)).map(([image]) => image.written),
  };
}

function describe({ name, mode, images, match, authorities }: ClusterImagePolicy): string {
  const globs = images.map(({ source }) => source).join(', ');
  const resources = match.map(({ resource, version, group }) => {
    const shown = [resource, version, group].filter((part) => part !== '').join('.');
    return shown === '' ? 'nothing' : printable(shown);
  });
  const about = resources.length === 0 ? 'run by anything' : `run by ${resources.join(', ')}`;
  const who = authorities.map((authority) => `${printable(authority.name)} (${authority.kind})`).join(' or ');
  return `${name === '' ? '(no name)' : name} [${mode}]: ${globs === '' ? 'no image' : globs}; ${about}; sealed as ${who === '' ? 'nobody can' : who}\n`;
}

function describeMatch({ written, full }: ImageName, policies: readonly ClusterImagePolicy[]): string {
  const names = policies.map(({ name }) => name).join(', ');
  const shown = written === full ? written : `${written} (${full})`;
  return `${shown}: ${names === '' ? 'no policy is about it' : names}\n`;
}
