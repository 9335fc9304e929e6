// SPDX-License-Identifier: Apache-2.0
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readSealFile } from '../flags/blob-seal.ts';
import { bundleDocument } from '../output/bundle-document.ts';
import { bundleText } from '../output/bundle-text.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla bundle inspect`: what is in a bundle. */
export const command: Command = defineCommand({
  name: 'bundle inspect',
  summary: 'Show what is in a bundle',
  description:
    'Prints what a sigstore bundle or a bundle of cosign 2 says: what was signed, by whom, which logs and clocks saw it. Nothing is verified, and no network is used.',
  usage: '[flags] FILE',
  arguments: { min: 1, max: 1, name: 'file' },
  flags: {},
  examples: ['bulla bundle inspect release.tar.gz.sigstore.json', 'bulla bundle inspect --json seal.json'],
  async run(context, [file = '']) {
    const { bundle, format } = await readSealFile(context, file);
    const document = bundleDocument(bundle, format);
    if (context.json) writeJson(context, { file, ...document, warnings: context.warnings });
    else context.stdout(bundleText(file, document));
    return EXIT.ok;
  },
});
