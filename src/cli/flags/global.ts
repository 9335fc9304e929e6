// SPDX-License-Identifier: Apache-2.0

/** The flags that every command takes, before or after its name. */
export const GLOBAL_FLAGS = {
  json: { kind: 'boolean', help: 'write one JSON document to stdout, for machines' },
  'no-color': { kind: 'boolean', help: 'no colour, as NO_COLOR in the environment' },
  'no-network': { kind: 'boolean', help: 'open no socket; what would need one is refused' },
  'output-file': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write stdout to FILE, which is replaced when the command ends',
  },
  timeout: { kind: 'duration', default: 180_000, short: 't', help: 'end the command after this time; 0 for never' },
  verbose: { kind: 'boolean', short: 'd', help: 'say on stderr what is done' },
} as const;
