// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

/** `bulla log fsck`: derives every log of a stack anew from its entries. */
export const command: Command = defineCommand({
  name: 'log fsck',
  summary: 'Check every log of a stack, entry by entry',
  description:
    'Reads all entries, derives tiles, roots and indexes from them, and compares these with what is kept and with the signed checkpoints. A stack that runs goes on serving; ' +
    'one that does not is checked as it lies there. Exits 1 if anything does not fit.',
  usage: '[flags] --data DIR',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: DATA_FLAG,
  examples: ['bulla log fsck --data ./stack'],
  async run(context, _args, flags) {
    const data = dataDirectory(context, flags, 'log fsck');
    const password = context.env['BULLA_PASSWORD'];
    const { checkLogs } = await import('../../up/index.ts');
    context.stderr('reading all entries; this takes about ten seconds a million\n');
    const answer = await checkLogs({
      data,
      ...(password === undefined || password === '' ? {} : { password }),
      now: context.now,
      signal: context.signal,
    });
    const shards = Array.isArray(answer['shards']) ? answer['shards'].filter((shard) => isJsonObject(shard)) : [];
    const sound = shards.length > 0 && shards.every((shard) => shard['found'] === 0);
    if (context.json) writeJson(context, { sound, ...answer, warnings: context.warnings });
    else for (const shard of shards) context.stdout(describe(shard));
    return sound ? EXIT.ok : EXIT.failure;
  },
});

function describe(shard: Readonly<Record<string, Json>>): string {
  const { found, findings } = shard;
  const [name, origin, size, count] = ['shard', 'origin', 'size', 'found'].map((member) => shown(shard[member]));
  const verdict = found === 0 ? 'sound' : `${count} findings`;
  const lines = Array.isArray(findings) ? findings.filter((finding) => isJsonObject(finding)) : [];
  return [
    `${name} (${origin}): ${size} entries, ${verdict}\n`,
    ...lines.map((finding) => `  ${shown(finding['code'])}: ${shown(finding['message'])}\n`),
  ].join('');
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? printable(String(value)) : '?';
}
