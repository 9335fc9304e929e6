// SPDX-License-Identifier: Apache-2.0
import { isDigest } from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { platformTarget } from '../flags/platform.ts';
import { openEvidence, openRepository, type RegistryFlagValues } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { UNSIGNED_SBOM } from './unsigned-sbom.ts';

/**
 * Prints the first SBOM that lies beside an image unsigned, and says loudly that it is.
 *
 * @returns the exit code
 * @throws CliError `attestation-missing` where there is none
 */
export async function readUnsignedSbom(
  context: CommandContext,
  image: string,
  flags: RegistryFlagValues & { readonly platform: string; readonly 'attachment-tag-prefix': string },
): Promise<number> {
  checkTagPrefix(flags);
  context.warn(UNSIGNED_SBOM);
  const opened = await openRepository(context, image, flags, { actions: 'pull' });
  const evidence = await openEvidence(context, flags, 'pull');
  const target = await platformTarget(opened, flags.platform);
  const { ImageError, readSboms } = await import('../../image/index.ts');
  const digest = isDigest(target) ? target : (await opened.repository.resolve(target))?.digest;
  if (digest === undefined) throw new ImageError('image-missing', `${opened.repository.name} has no tag '${target}'`);
  const maxBytes = maxAttachmentSize(context);
  const found = await readSboms(opened.repository, digest, {
    tagPrefix: flags['attachment-tag-prefix'],
    ...(evidence === undefined ? {} : { evidence }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const [sbom, ...others] = new Map(found.toReversed().map((one) => [one.layer, one])).values().toArray().toReversed();
  if (sbom === undefined) throw new CliError('attestation-missing', `no SBOM attached to ${image}`);
  if (others.length > 0) context.warn(`${others.length + 1} SBOMs lie beside the image, and this is the first of them`);
  const text = new TextDecoder().decode(sbom.bytes);
  if (context.json) {
    const { mediaType, manifest, layer, tag } = sbom;
    const where = { manifest, layer, tag: tag ?? null };
    writeJson(context, { image, digest, verified: false, mediaType, ...where, sbom: text, warnings: context.warnings });
    return EXIT.ok;
  }
  context.stderr(`Found SBOM of media type: ${printable(sbom.mediaType)}\n`);
  context.stdout(text);
  return EXIT.ok;
}
