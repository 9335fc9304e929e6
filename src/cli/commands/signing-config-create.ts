// SPDX-License-Identifier: Apache-2.0
import type { Service, ServiceChoice, SigningConfig } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { invalid, parseServiceSpec, periodOf, SPEC, urlOf } from '../flags/service-spec.ts';
import { writeDocument } from '../output/created-document.ts';

const KEYS = 'url, api-version, start-time, operator, and end-time if it ends';

const CHOICE = { kind: 'string', placeholder: 'ANY|ALL|EXACT:N' } as const;

const FLAGS = {
  fulcio: { ...SPEC, help: `a certificate authority: ${KEYS}` },
  'oidc-provider': { ...SPEC, help: 'an issuer of identity tokens: the same' },
  rekor: { ...SPEC, help: 'a transparency log: the same' },
  'rekor-config': { ...CHOICE, help: 'how many logs take each signature; needed with --rekor' },
  tsa: { ...SPEC, help: 'a timestamp authority: the same' },
  'tsa-config': { ...CHOICE, help: 'how many give a timestamp; needed with --tsa' },
  'with-default-services': {
    kind: 'boolean',
    help: 'begin with the services that initialize fetched; what is given replaces those of its kind',
  },
  'with-default-rekor-v2': {
    kind: 'boolean',
    help: 'the same',
    hidden: true,
    refused: 'the log of the public instance is taken as its signing config has it: --with-default-services',
  },
  'no-default-fulcio': { kind: 'boolean', help: 'leave out the certificate authorities of the default services' },
  'no-default-oidc': { kind: 'boolean', help: 'leave out their issuers' },
  'no-default-rekor': { kind: 'boolean', help: 'leave out their logs' },
  'no-default-tsa': { kind: 'boolean', help: 'leave out their timestamp authorities' },
  out: { kind: 'string', placeholder: 'FILE', help: 'write to FILE instead of stdout' },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla signing-config create`: with which services one signs. */
export const command: Command = defineCommand({
  name: 'signing-config create',
  summary: 'Make a signing config: with which services one signs',
  description:
    'Each service is a list of pairs with commas between them. Without any service it is the config of who signs with a key alone. No network is used, unless --with-default-services asks for it.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  examples: [
    'bulla signing-config create --out signing_config.json',
    'bulla signing-config create --rekor-config ANY --rekor url=https://log.example.com,api-version=2,start-time=…,operator=…',
  ],
  async run(context, _args, flags) {
    const { encodeSigningConfig } = await import('../../trust/index.ts');
    const base = flags['with-default-services'] ? await defaults(context) : EMPTY;
    const config: SigningConfig = {
      certificateAuthorities:
        services('fulcio', flags) ?? kept(base.certificateAuthorities, flags['no-default-fulcio']),
      identityProviders: services('oidc-provider', flags) ?? kept(base.identityProviders, flags['no-default-oidc']),
      ...chosen(
        'rekor',
        flags,
        { services: kept(base.logs, flags['no-default-rekor']), choice: base.logChoice },
        (list, choice) => ({
          logs: list,
          logChoice: choice,
        }),
      ),
      ...chosen(
        'tsa',
        flags,
        { services: kept(base.timestampAuthorities, flags['no-default-tsa']), choice: base.timestampChoice },
        (list, choice) => ({ timestampAuthorities: list, timestampChoice: choice }),
      ),
    };
    await writeDocument(context, flags.out, encodeSigningConfig(config), 'signing config');
    return EXIT.ok;
  },
});

const EMPTY: SigningConfig = {
  certificateAuthorities: [],
  identityProviders: [],
  logs: [],
  logChoice: { kind: 'none' },
  timestampAuthorities: [],
  timestampChoice: { kind: 'none' },
};

async function defaults(context: CommandContext): Promise<SigningConfig> {
  const { loadInitializedTrust } = await import('../flags/default-trust.ts');
  const fetched = await loadInitializedTrust(context, 'identities');
  if (fetched?.signingConfig === undefined)
    throw new CliError('usage', '--with-default-services: no signing config was fetched', {
      hint: `fetch one with: ${context.program} initialize`,
    });
  context.stderr(`trust: ${fetched.origin.text}\n`);
  return fetched.signingConfig;
}

function kept(list: readonly Service[], dropped: boolean): readonly Service[] {
  return dropped ? [] : list;
}

function services(flag: 'fulcio' | 'oidc-provider' | 'rekor' | 'tsa', flags: Flags): readonly Service[] | undefined {
  const given = flags[flag].filter((text) => text !== '');
  return given.length === 0 ? undefined : given.map((text) => service(flag, text));
}

function service(flag: string, text: string): Service {
  const spec = parseServiceSpec(flag, text, {
    required: ['url', 'api-version', 'start-time', 'operator'],
    optional: ['end-time'],
  });
  const { url, 'api-version': version, operator } = spec.values;
  if (!/^[1-9][0-9]{0,3}$/.test(version))
    throw invalid(flag, `'api-version' is '${version.slice(0, 20)}', expected a number such as 1`);
  const validFor = periodOf(spec, undefined);
  return {
    url: urlOf(spec, url),
    majorApiVersion: Number(version),
    ...(validFor === undefined ? {} : { validFor }),
    operator,
  };
}

/** A kind of service of which the config says how many are used. */
function chosen<T>(
  flag: 'rekor' | 'tsa',
  flags: Flags,
  base: { readonly services: readonly Service[]; readonly choice: ServiceChoice },
  make: (list: readonly Service[], choice: ServiceChoice) => T,
): T {
  const given = services(flag, flags);
  const text = flags[`${flag}-config`];
  const choice = text === undefined ? undefined : choiceOf(`${flag}-config`, text);
  if (given !== undefined && choice === undefined)
    throw new CliError('usage', `--${flag}-config must be provided when --${flag} is specified`);
  const list = given ?? base.services;
  if (list.length === 0) return make([], choice ?? { kind: 'none' });
  return make(list, choice ?? base.choice);
}

function choiceOf(flag: string, text: string): ServiceChoice {
  if (text === 'ANY') return { kind: 'any' };
  if (text === 'ALL') return { kind: 'all' };
  const count = /^EXACT:([1-9][0-9]{0,3})$/.exec(text)?.[1];
  if (count === undefined) throw invalid(flag, `'${text.slice(0, 40)}' is none of ANY, ALL and EXACT:NUMBER`);
  return { kind: 'exact', count: Number(count) };
}
