// SPDX-License-Identifier: Apache-2.0
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { writeJson } from '../output/json-document.ts';
import { BULLA_VERSION } from '../version.ts';

/** What `version` says. */
export interface VersionDocument {
  readonly gitVersion: string;
  readonly runtime: string;
  readonly platform: string;
}

/** Prints the version, its runtime and the platform, in the places where cosign has them. */
export const command: Command = defineCommand({
  name: 'version',
  summary: 'Print the version',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {},
  examples: ['bulla version', 'bulla version --json'],
  run(context) {
    const document: VersionDocument = {
      gitVersion: `v${BULLA_VERSION}`,
      runtime: process.versions['bun'] === undefined ? `node ${process.version}` : `bun v${process.versions['bun']}`,
      platform: `${process.platform}/${process.arch}`,
    };
    if (context.json) writeJson(context, document);
    else {
      context.stdout(
        [
          'bulla: seals container images, verifies who sealed them',
          '',
          `GitVersion:    ${document.gitVersion}`,
          `Runtime:       ${document.runtime}`,
          `Platform:      ${document.platform}`,
          '',
        ].join('\n'),
      );
    }
    return Promise.resolve(EXIT.ok);
  },
});
