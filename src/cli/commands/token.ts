// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla token`: an identity token of a stack's built-in issuer, for whoever may read the stack's keys. */
export const command: Command = defineCommand({
  name: 'token',
  summary: "Print an identity token of a stack's own issuer",
  description:
    "Reads the issuer's key in the data directory and nothing else, whether the stack runs or not. Whoever may run it may be anybody to this stack: it is for " +
    'trying things out and for machines that the operator vouches for. The token is a secret until it expires.',
  usage: '[flags] --data DIR --subject EMAIL-OR-URI',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    ...DATA_FLAG,
    subject: {
      kind: 'string',
      default: '',
      placeholder: 'EMAIL-OR-URI',
      help: 'whom it names; an address of mail counts as verified',
    },
    audience: { kind: 'string', default: 'sigstore', help: 'whom it is for' },
    claim: {
      kind: 'strings',
      split: false,
      placeholder: 'NAME=VALUE',
      help: 'a further claim; may be given several times',
    },
    lifetime: { kind: 'duration', default: 600_000, help: 'how long it holds' },
  },
  examples: [
    'bulla token --data ./stack --subject you@example.com',
    'bulla token --data ./stack --subject https://ci.example.com/build --claim repository=team/app --claim ref=refs/tags/v1',
  ],
  async run(context, _args, flags) {
    const data = dataDirectory(context, flags, 'token');
    if (flags.subject === '') {
      throw new CliError('usage', '--subject is required: whom does the token name, by mail address or URI?');
    }
    if (flags.audience === '') throw new CliError('usage', '--audience is empty: whom is the token for?');
    const password = context.env['BULLA_PASSWORD'];
    const { mintStackToken } = await import('../../up/index.ts');
    const token = await mintStackToken({
      data,
      ...(password === undefined || password === '' ? {} : { password }),
      subject: flags.subject,
      audience: flags.audience,
      claims: parseClaims(flags.claim),
      lifetimeMs: flags.lifetime,
      now: context.now(),
    });
    if (context.json) writeJson(context, { token, warnings: context.warnings });
    else context.stdout(`${token}\n`);
    return EXIT.ok;
  },
});

function parseClaims(pairs: readonly string[]): Readonly<Record<string, string>> {
  const claims = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    if (at < 1) throw new CliError('usage', `--claim ${pair.slice(0, 80)}: expected NAME=VALUE`);
    if (claims.has(name)) throw new CliError('usage', `--claim ${name.slice(0, 80)} was given twice`);
    claims.set(name, pair.slice(at + 1));
  }
  return Object.fromEntries(claims);
}
