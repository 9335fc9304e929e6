// SPDX-License-Identifier: Apache-2.0
import type { Command } from './command.ts';

/** Where a command is: nothing of it is loaded before it is named. */
export interface CommandEntry {
  /** the command's own summary; a test holds the two equal */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** All commands by name, in the order of the manual. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  quickstart: {
    summary: 'Watch an image go through the whole chain on this machine',
    load: () => import('./quickstart/quickstart.ts'),
  },
  'generate-key-pair': {
    summary: 'Make a key pair: an encrypted private key and its public key',
    load: () => import('./commands/generate-key-pair.ts'),
  },
  'import-key-pair': {
    summary: 'Turn a private key made elsewhere into an encrypted key pair',
    load: () => import('./commands/import-key-pair.ts'),
  },
  'public-key': {
    summary: 'Print the public key of a key',
    load: () => import('./commands/public-key.ts'),
  },
  sign: {
    summary: 'Seal images',
    load: () => import('./commands/sign.ts'),
  },
  verify: {
    summary: 'Verify who sealed images',
    load: () => import('./commands/verify.ts'),
  },
  tree: {
    summary: 'Show what is attached to an image',
    load: () => import('./commands/tree.ts'),
  },
  triangulate: {
    summary: "Print where an image's seals lie",
    load: () => import('./commands/triangulate.ts'),
  },
  'image pack': {
    summary: 'Make an image from a folder, without a container engine',
    load: () => import('./commands/image-pack.ts'),
  },
  'registry serve': {
    summary: 'Serve an OCI registry with write-once tags',
    load: () => import('./commands/registry-serve.ts'),
  },
  completion: {
    summary: 'Print the completion script of a shell',
    load: () => import('./commands/completion.ts'),
  },
  version: {
    summary: 'Print the version',
    load: () => import('./commands/version.ts'),
  },
};

/** What groups of nested commands are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  image: 'Make images',
  registry: 'Run a registry',
};
