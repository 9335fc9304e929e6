// SPDX-License-Identifier: Apache-2.0
import type { Attached, AttachedListing } from '../../image/index.ts';
import { isDigest } from '../../oci/index.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { COSIGN_VERIFY_FLAGS } from '../flags/cosign-verify.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const HEADINGS = {
  signature: '🔐 Signatures for an image tag',
  attestation: '💾 Attestations for an image tag',
  sbom: '📦 SBOMs for an image tag',
} as const;

/** `bulla tree`: what lies beside an image, in either place. Nothing of it is verified. */
export const command: Command = defineCommand({
  name: 'tree',
  summary: 'Show what is attached to an image',
  description: 'Lists signatures, attestations, SBOMs and other referrers. Nothing is verified: use verify for that.',
  usage: '[flags] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    'attachment-tag-prefix': {
      kind: 'string',
      default: '',
      placeholder: 'PREFIX',
      help: 'prefix of the tags beside the image',
    },
    'registry-referrers-mode': {
      kind: 'string',
      choices: ['', 'legacy', 'oci-1-1'],
      default: '',
      help: 'both places are always read',
      hidden: true,
    },
    'experimental-oci11': COSIGN_VERIFY_FLAGS['experimental-oci11'],
    ...REGISTRY_FLAGS,
  },
  examples: ['bulla tree registry.example.com/platform/demo-api:1.4'],
  async run(context, [image = ''], flags) {
    checkTagPrefix(flags);
    const opened = await openRepository(context, image, flags, { actions: 'pull' });
    const { ImageError, listAttached } = await import('../../image/index.ts');
    const digest = isDigest(opened.target) ? opened.target : (await opened.repository.resolve(opened.target))?.digest;
    if (digest === undefined)
      throw new ImageError('image-missing', `${opened.repository.name} has no tag '${opened.target}'`);
    const repository = (await openEvidence(context, flags, 'pull')) ?? opened.repository;
    const listing = await listAttached(repository, digest, flags['attachment-tag-prefix']);
    if (context.json)
      writeJson(context, {
        image,
        digest,
        repository: repository.name,
        attached: listing.items,
        truncatedAt: listing.truncatedAt ?? null,
        warnings: context.warnings,
      });
    else context.stdout(draw(image, repository.name, listing));
    return EXIT.ok;
  },
});

function draw(image: string, repository: string, { items, truncatedAt }: AttachedListing): string {
  const lines = [`📦 Supply Chain Security Related artifacts for an image: ${image}`];
  for (const item of items) {
    lines.push(`└── ${heading(item, repository)}`);
    for (const [at, { digest }] of item.layers.entries()) {
      lines.push(`   ${at === item.layers.length - 1 ? '└' : '├'}── 🍒 ${digest}`);
    }
  }
  if (items.length === 0)
    lines.push(
      `No Supply Chain Security Related Artifacts found for image ${image},`,
      ' start creating one with simply running$ bulla sign <img>',
    );
  if (truncatedAt !== undefined)
    lines.push(`… and more: ${truncatedAt} referrers are listed at least, this many are not all read`);
  return `${lines.join('\n')}\n`;
}

function heading(item: Attached, repository: string): string {
  const fault = item.fault === undefined ? '' : ` (not readable: ${printable(item.fault)})`;
  if (item.kind === 'tag') return `${HEADINGS[item.attached]}: ${repository}:${item.tag}${fault}`;
  return `🔗 ${printable(item.type)} artifacts via OCI referrer: ${repository}@${item.manifest}${fault}`;
}
