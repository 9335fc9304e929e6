// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { warnOfPlainHttp } from '../flags/plain-http.ts';
import { openServiceClient, requireNetwork } from '../flags/service-client.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { style } from '../output/style.ts';

/** `bulla doctor`: signs and verifies through every service of a stack, and says what is wrong. */
export const command: Command = defineCommand({
  name: 'doctor',
  summary: 'Sign and verify through every service of a stack, and say what is wrong',
  description:
    'Asks a running stack as its clients do: fetches the trust root by TUF, seals thirty-two random bytes through each log, the timestamp authority and the certificate ' +
    'authority, and verifies them. Three entries are left in its logs. A certificate that the rules do not allow is no fault and is reported as skipped; ' +
    '--identity-token gives one that they do. Exits 1 if anything is wrong.',
  usage: '[flags] --data DIR',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    ...DATA_FLAG,
    'clock-is-right': {
      kind: 'boolean',
      help: "first let the timestamps go on, which stopped because this machine's clock jumped: you have looked, and it is right now",
    },
    'identity-token': {
      kind: 'string',
      default: '',
      placeholder: 'TOKEN|FILE',
      help: 'to get a certificate with; one of the built-in issuer unless told',
    },
  },
  examples: ['bulla doctor --data ./stack'],
  async run(context, _args, flags) {
    requireNetwork(context, 'a stack is asked over the network');
    const data = dataDirectory(context, flags, 'doctor');
    const { instruct, mintStackToken, readEndpoints } = await import('../../up/index.ts');
    if (flags['clock-is-right']) await instruct(data, 'resume-clock', {}, context.signal);
    const { examine } = await import('../doctor/checks.ts');
    const password = context.env['BULLA_PASSWORD'];
    const endpoints = await readEndpoints(data);
    warnOfPlainHttp(context, endpoints.fulcio);
    const findings = [];
    const paint = style(context.color);
    const given = flags['identity-token'];
    for await (const finding of examine({
      endpoints,
      data,
      http: openServiceClient(context),
      now: context.now,
      token: async () =>
        given === ''
          ? await mintStackToken({
              data,
              ...(password === undefined || password === '' ? {} : { password }),
              subject: 'https://bulla.invalid/doctor',
              audience: 'sigstore',
              claims: {},
              lifetimeMs: 60_000,
              now: context.now(),
            })
          : await tokenOf(given, context.cwd),
    })) {
      findings.push(finding);
      const mark = { ok: paint.green('✓'), failed: paint.red('✗'), skipped: paint.yellow('-') }[finding.outcome];
      if (!context.json) context.stdout(`${mark} ${finding.name.padEnd(32)} ${printable(finding.detail)}\n`);
    }
    const well = findings.every(({ outcome }) => outcome !== 'failed');
    if (context.json) writeJson(context, { well, findings, warnings: context.warnings });
    return well ? EXIT.ok : EXIT.failure;
  },
});

async function tokenOf(given: string, cwd: string): Promise<string> {
  if (given.split('.').length === 3 && !given.includes('/')) return given;
  const bytes = await readFile(resolve(cwd, given), { cwd, what: 'identity token', maxBytes: 64 * 1024 });
  return Buffer.from(bytes).toString().trim();
}
