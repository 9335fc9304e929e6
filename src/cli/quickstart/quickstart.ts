// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { signImage, verifyImage } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { style } from '../output/style.ts';
import { actOfVerdict, type Act } from './act.ts';
import { attacks } from './attacks.ts';
import { byHand } from './by-hand.ts';
import { onlyProduction, pipelines } from './pipelines.ts';
import { DEMO, newKeyPair, openScene, pushService, WRITE_ONCE, type Scene } from './scene.ts';

/** `bulla quickstart`: the whole chain on this machine, with the fakes that it must refuse. */
export const command: Command = defineCommand({
  name: 'quickstart',
  summary: 'Watch an image go through the whole chain on this machine',
  description:
    'Starts a signing stack with a registry on loopback in a temporary folder, packs and pushes a sample service, seals it with a new key, verifies it by digest, ' +
    'does the same with the identity of a pipeline instead of a key, plays the attacker, then takes a manifest to a cluster: gated in CI, pinned, admitted or refused. ' +
    'Serves on until Ctrl-C, so that the commands it prints can be tried; --exit ends it instead. Exits 1 if anything went otherwise than it should.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'argument' },
  flags: {
    exit: { kind: 'boolean', help: 'end when the play is over, instead of serving on' },
    port: { kind: 'integer', default: 0, max: 65_535, help: 'port of the registry; 0 picks a free one' },
  },
  examples: ['bulla quickstart', 'bulla quickstart --exit', 'bulla quickstart --port 5000'],
  endless: true,
  async run(context, _args, flags) {
    if (context.noNetwork) {
      throw new CliError('network-forbidden', '--no-network: the play needs a registry, if only on this machine');
    }
    const scene = await openScene(flags.port, onlyProduction);
    try {
      const acts = await play(context, scene);
      const good = acts.every((act) => act.asExpected);
      if (context.json)
        writeJson(context, {
          registry: scene.endpoints.registry,
          folder: scene.folder,
          asExpected: good,
          acts,
          warnings: context.warnings,
        });
      else context.stdout(`\n${closing(context, acts)}\n`);
      if (!flags.exit && !context.signal.aborted) {
        if (!context.json) context.stdout(`\n${byHand(scene)}\n`);
        context.stderr(`\nserving on ${scene.endpoints.registry} until Ctrl-C\n`);
        await ended(context.signal);
      } else if (!context.json) {
        context.stdout('\nTo keep the registry and try it by hand with bulla, docker, podman and cosign: npm start\n');
      }
      return good ? EXIT.ok : EXIT.failure;
    } finally {
      await scene.close();
    }
  },
});

async function play(context: CommandContext, scene: Scene): Promise<readonly Act[]> {
  const acts: Act[] = [];
  const show = (act: Act): void => {
    acts.push(act);
    if (!context.json) context.stdout(`${line(context, act)}\n`);
    context.signal.throwIfAborted();
  };
  const heading = (text: string): void => {
    if (!context.json) context.stdout(`${text}\n`);
  };
  const done = (tried: string, why: string): void => show({ tried, happened: 'done', why, asExpected: true });

  heading('The chain\n');
  done('start a registry and a signing stack', `${scene.endpoints.registry}, write-once tags (${WRITE_ONCE})`);
  const demo = scene.repository(DEMO.repository);
  const digest = await pushService(scene, demo, DEMO.tag, 'hello from demo-api');
  done('pack a folder into an image and push it', `${demo.name}:${DEMO.tag} is ${digest}`);
  const owner = await newKeyPair(scene);
  done('make a key pair', `${join(scene.folder, 'cosign.key')} and cosign.pub`);
  const sealed = await signImage(demo, digest, {
    signer: owner.signer,
    now: context.now(),
    formats: ['bundle', 'legacy'],
  });
  done('seal the digest', `${sealed.seals.map((seal) => seal.format).join(' and ')}, beside the image in the registry`);
  const verdict = await verifyImage(demo, digest, { signers: { kind: 'keys', keys: [owner.publicKey] } });
  show(actOfVerdict('verify at the gate, by digest', verdict, 'trusted'));

  heading('\nWithout any key\n');
  for await (const act of pipelines(scene)) show(act);

  heading('\nThe attacker\n');
  for await (const act of attacks(scene, owner, digest)) show(act);

  heading('\nOn the way to a cluster\n');
  const { gates } = await import('./gates.ts');
  for await (const act of gates(scene, owner)) show(act);
  return acts;
}

function line(context: CommandContext, act: Act): string {
  const paint = style(context.color);
  const mark = act.asExpected ? (act.happened === 'refused' ? paint.yellow('✗') : paint.green('✓')) : paint.red('!');
  const happened = act.happened === 'done' ? '' : `${act.happened.padEnd(8)} `;
  const wrong = act.asExpected ? '' : paint.red('  NOT AS IT SHOULD BE');
  return `  ${mark} ${act.tried.padEnd(52)} ${happened}${paint.dim(shorten(printable(act.why)))}${wrong}`;
}

// A line has to fit a terminal: twelve characters tell digests and keys apart well enough to read along; --json has them whole.
function shorten(text: string): string {
  const keys = text.replace(/([A-Za-z0-9+/]{12})[A-Za-z0-9+/]{31}=/g, '$1…');
  return keys.replace(/sha256:([0-9a-f]{12})[0-9a-f]+…?/g, 'sha256:$1…');
}

function closing(context: CommandContext, acts: readonly Act[]): string {
  const paint = style(context.color);
  const wrong = acts.filter((act) => !act.asExpected).length;
  return wrong === 0
    ? paint.green('Everything went as it should: the sealed image passed, every fake was refused.')
    : paint.red(`${wrong} of ${acts.length} steps went otherwise than they should.`);
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
