// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { openServiceClient, requireNetwork } from '../flags/service-client.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla initialize`: begins to trust a TUF repository. */
export const command: Command = defineCommand({
  name: 'initialize',
  summary: 'Begin to trust a stack: fetch whom to believe and with which services to sign',
  description:
    'Fetches the trusted root and the signing config of a TUF repository, verifies all of it from its first root on, and remembers it for sign and verify. ' +
    'Without flags that is the public instance. A first root that would come over plain http is taken from loopback only, unless --root-checksum is given.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    mirror: { kind: 'string', placeholder: 'URL', help: 'the TUF repository; that of the public instance unless told' },
    root: {
      kind: 'string',
      placeholder: 'FILE|URL',
      help: 'its first root.json; that of the public instance, which is built in, unless told',
    },
    'root-checksum': { kind: 'string', placeholder: 'SHA256', help: 'what the first root must have, in hex' },
    staging: {
      kind: 'boolean',
      hidden: true,
      help: 'the staging instance',
      refused: 'its root is not built in: name it with --mirror and --root',
    },
  },
  examples: [
    'bulla initialize --mirror https://tuf.example.com --root https://tuf.example.com/root.json --root-checksum 6e99ec43…',
    'bulla initialize',
  ],
  async run(context, _args, flags) {
    const { mirror, root } = flags;
    const rootChecksum = checksumOf(flags['root-checksum']);
    requireNetwork(context, 'a TUF repository is asked over the network');
    if ((mirror ?? '') !== '' && (root ?? '') === '')
      context.debug('the first root is that of the public instance, which is built in');
    const { describeOrigin, initializeTrust } = await import('../../keyless/index.ts');
    const { documentOf, surroundingsOf } = await import('../flags/default-trust.ts');
    const done = await initializeTrust({
      ...surroundingsOf(context),
      ...(mirror === undefined || mirror === '' ? {} : { mirror }),
      ...(root === undefined || root === '' ? {} : { root }),
      ...(rootChecksum === undefined ? {} : { rootChecksum }),
      now: context.now(),
      http: openServiceClient(context),
    });
    const { logs, certificateAuthorities, certificateLogs, timestampAuthorities } = done.trustedRoot;
    const counts = {
      certificateAuthorities: certificateAuthorities.length,
      certificateLogs: certificateLogs.length,
      logs: logs.length,
      timestampAuthorities: timestampAuthorities.length,
    };
    if (context.json) {
      writeJson(context, {
        mirror: done.mirror,
        rootChecksum: done.rootChecksum,
        trust: { description: describeOrigin(done.origin, context.now()), ...documentOf(done.origin) },
        trustedRoot: counts,
        warnings: context.warnings,
      });
    } else {
      context.stderr(`trusted from now on: ${describeOrigin(done.origin, context.now())}\n`);
      context.stderr(`first root: SHA-256 ${done.rootChecksum}\n`);
      context.stderr(
        `trusted root: ${counts.certificateAuthorities} certificate authorities, ${counts.certificateLogs} certificate logs, ${counts.logs} logs, ${counts.timestampAuthorities} timestamp authorities\n`,
      );
    }
    return EXIT.ok;
  },
});

function checksumOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const [, prefix, hex = ''] = /^(?:([a-z0-9]+):)?(.*)$/s.exec(text) ?? [];
  if (prefix !== undefined && prefix !== 'sha256')
    throw new CliError('flag-invalid', `--root-checksum: '${text.slice(0, 40)}' is not a SHA-256`);
  if (!/^[0-9a-fA-F]{64}$/.test(hex))
    throw new CliError(
      'flag-invalid',
      `--root-checksum: expected the 64 hexadecimal digits of a SHA-256, found ${hex.length} characters`,
    );
  return hex.toLowerCase();
}
