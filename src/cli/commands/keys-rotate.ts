// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const ROLES = ['ca', 'ctlog', 'log', 'tsa', 'root', 'tuf-targets', 'tuf-snapshot', 'tuf-timestamp', 'issuer'] as const;

/** What is said once it is done, for whom it matters. */
const TOLD: Readonly<Partial<Record<string, string>>> = {
  issuer:
    'the new key signs tokens, and stands among those that the issuer publishes; so does the old one until the last of its tokens has expired',
};
const CUT_OFF = 'the new key signs tokens; those that the old one signed are refused from now on';
const KNOWN = 'the new key signs, and is published; clients learn of it when they next update their trust root';

/** `bulla keys rotate`: a new key for a service that goes on serving. */
export const command: Command = defineCommand({
  name: 'keys rotate',
  summary: 'Give a running stack a new key, and tell its clients',
  description:
    'Makes the new key, publishes it in the trusted root, the signing config and the TUF repository in one step, and then signs with it. What was sealed before ' +
    'stays trusted: old keys are kept in the trusted root with the time at which they ended. ' +
    'ca: certificate authority; ctlog: certificate log; log: transparency log (a new shard); tsa: timestamps; root: the TUF root; ' +
    "tuf-targets, tuf-snapshot, tuf-timestamp: what else signs the TUF repository; issuer: the built-in issuer's tokens.",
  usage: '[flags] --data DIR ROLE',
  arguments: { min: 1, max: 1, name: 'role', words: ROLES },
  flags: {
    ...DATA_FLAG,
    'offline-keys': {
      kind: 'string',
      default: '',
      placeholder: 'DIR',
      help: 'where you brought the keys that are kept offline (--offline-root)',
    },
    compromised: {
      kind: 'boolean',
      help: 'others know the old key: clients stop to trust what it signs from now on, instead of after a day',
    },
  },
  examples: ['bulla keys rotate --data ./stack log'],
  async run(context, [role = ''], flags) {
    if (!(ROLES as readonly string[]).includes(role)) {
      throw new CliError('usage', `'${role.slice(0, 40)}' is no role; expected one of ${ROLES.join(', ')}`);
    }
    const { 'offline-keys': offlineKeys, compromised } = flags;
    const asked = {
      role,
      compromised,
      ...(offlineKeys === '' ? {} : { offlineKeys: resolve(context.cwd, offlineKeys) }),
    };
    const { instruct } = await import('../../up/index.ts');
    const done = await instruct(dataDirectory(context, flags, 'keys rotate'), 'rotate', asked, context.signal);
    if (context.json) writeJson(context, { ...done, warnings: context.warnings });
    else {
      context.stderr(`${role}: ${compromised && role === 'issuer' ? CUT_OFF : (TOLD[role] ?? KNOWN)}\n`);
      if (done['rootChanged'] === true) context.stderr(`${initializeLine(done['tuf'])}\n`);
    }
    return EXIT.ok;
  },
});

/** For clients to come; those that trust an earlier root follow by themselves. */
function initializeLine(tuf: Json | undefined): string {
  const { mirror, root, rootChecksum } = isJsonObject(tuf ?? null) ? (tuf as Readonly<Record<string, Json>>) : {};
  const [at, file, sum] = [mirror, root, rootChecksum].map((part) => printable(typeof part === 'string' ? part : '?'));
  return `the TUF root has changed: clients that trust the one before follow; new ones begin with\n  cosign initialize --mirror ${at} --root ${file} --root-checksum ${sum}`;
}
