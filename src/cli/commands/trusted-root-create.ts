// SPDX-License-Identifier: Apache-2.0
import type {
  CertificateAuthority,
  CertificateLog,
  PublicKey,
  TimestampAuthority,
  TransparencyLog,
  TrustedRoot,
} from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { readCertificates } from '../flags/certificate-file.ts';
import { parseServiceSpec, periodOf, SPEC, timeOf, urlOf } from '../flags/service-spec.ts';
import { writeDocument } from '../output/created-document.ts';

/** What cosign 2 asks in the place of a {@link SPEC}: its parts, one by one. */
const PART = {
  kind: 'strings',
  split: false,
  hidden: true,
  deprecated: 'use --fulcio, --rekor, --ctfe and --tsa instead',
} as const;

const FLAGS = {
  fulcio: {
    ...SPEC,
    help: 'a certificate authority: url, certificate-chain (PEM file), and start-time, end-time',
  },
  rekor: {
    ...SPEC,
    help: 'a transparency log: url, public-key (PEM file), start-time, and end-time, origin',
  },
  ctfe: { ...SPEC, help: 'a certificate log: the same' },
  tsa: { ...SPEC, help: 'a timestamp authority: as a certificate authority' },
  'with-default-services': {
    kind: 'boolean',
    help: 'begin with the trusted root that initialize fetched, else the one built in; what is given replaces those of its kind',
  },
  'no-default-fulcio': { kind: 'boolean', help: 'leave out the certificate authorities of the default services' },
  'no-default-rekor': { kind: 'boolean', help: 'leave out their logs' },
  'no-default-ctfe': { kind: 'boolean', help: 'leave out their certificate logs' },
  'no-default-tsa': { kind: 'boolean', help: 'leave out their timestamp authorities' },
  out: { kind: 'string', placeholder: 'FILE', help: 'write to FILE instead of stdout' },
  'certificate-chain': { ...PART, help: 'PEM of an authority' },
  'rekor-key': { ...PART, help: 'PEM of a log' },
  'rekor-start-time': { ...PART, help: 'its beginning' },
  'ctfe-key': { ...PART, help: 'PEM of a certificate log' },
  'ctfe-start-time': { ...PART, help: 'its beginning' },
  'timestamp-certificate-chain': { ...PART, help: 'PEM of a timestamp authority' },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla trusted-root create`: whom one believes. */
export const command: Command = defineCommand({
  name: 'trusted-root create',
  summary: 'Make a trusted root: whom one believes',
  description:
    'Each service is a list of pairs with commas between them. No network is used, unless --with-default-services asks for it.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  examples: [
    'bulla trusted-root create --fulcio url=https://ca.example.com,certificate-chain=ca.pem --out root.json',
    'bulla trusted-root create --rekor url=https://log.example.com,public-key=log.pub,start-time=2026-01-01T00:00:00Z',
  ],
  async run(context, _args, flags) {
    const { encodeTrustedRoot } = await import('../../trust/index.ts');
    const given = await readGiven(context, flags);
    const base = flags['with-default-services'] ? await defaults(context, flags) : undefined;
    const either = <T>(own: readonly T[], theirs: readonly T[] | undefined): readonly T[] =>
      own.length > 0 ? own : (theirs ?? []);
    const root: TrustedRoot = {
      logs: either(given.logs, base?.logs),
      certificateLogs: either(given.certificateLogs, base?.certificateLogs),
      certificateAuthorities: either(given.certificateAuthorities, base?.certificateAuthorities),
      timestampAuthorities: either(given.timestampAuthorities, base?.timestampAuthorities),
      skipped: [],
    };
    await writeDocument(context, flags.out, encodeTrustedRoot(root), 'trusted root');
    return EXIT.ok;
  },
});

async function defaults(context: CommandContext, flags: Flags): Promise<TrustedRoot> {
  const { loadDefaultTrust } = await import('../flags/default-trust.ts');
  const { trustedRoot, origin } = await loadDefaultTrust(context);
  context.stderr(`trust: ${origin.text}\n`);
  return {
    logs: flags['no-default-rekor'] ? [] : trustedRoot.logs,
    certificateLogs: flags['no-default-ctfe'] ? [] : trustedRoot.certificateLogs,
    certificateAuthorities: flags['no-default-fulcio'] ? [] : trustedRoot.certificateAuthorities,
    timestampAuthorities: flags['no-default-tsa'] ? [] : trustedRoot.timestampAuthorities,
    skipped: [],
  };
}

async function readGiven(context: CommandContext, flags: Flags): Promise<TrustedRoot> {
  const each = <T>(texts: readonly string[], read: (text: string) => Promise<T>): Promise<T[]> =>
    Promise.all(texts.filter((text) => text !== '').map(read));
  const { timestampAuthority } = await import('../../trust/index.ts');
  const keys = (kind: 'rekor' | 'ctfe'): Promise<TransparencyLog[]> =>
    Promise.all(
      flags[`${kind}-key`].map(async (file, at) => {
        const start = timeOf(`${kind}-start-time`, 'start-time', flags[`${kind}-start-time`][at]) ?? new Date(0);
        return logOf('', await readKey(context, file), undefined, { start });
      }),
    );
  return {
    logs: [...(await each(flags.rekor, (text) => readLog(context, 'rekor', text))), ...(await keys('rekor'))],
    certificateLogs: [
      ...(await each(flags.ctfe, (text) => readLog(context, 'ctfe', text))),
      ...(await keys('ctfe')),
    ].map(({ baseUrl, publicKey, validFor }): CertificateLog => ({
      publicKey,
      baseUrl,
      ...(validFor === undefined ? {} : { validFor }),
    })),
    certificateAuthorities: [
      ...(await each(flags.fulcio, (text) => readAuthority(context, 'fulcio', text))),
      ...(await each(flags['certificate-chain'], (file) => readChain(context, file))),
    ],
    timestampAuthorities: [
      ...(await each(flags.tsa, (text) => readAuthority(context, 'tsa', text))),
      ...(await each(flags['timestamp-certificate-chain'], (file) => readChain(context, file))),
    ].map(({ chain, uri, validFor }): TimestampAuthority =>
      timestampAuthority(chain, {
        ...(uri === undefined ? {} : { uri }),
        ...(validFor === undefined ? {} : { validFor }),
      }),
    ),
    skipped: [],
  };
}

async function readLog(context: CommandContext, flag: 'rekor' | 'ctfe', text: string): Promise<TransparencyLog> {
  const spec = parseServiceSpec(flag, text, {
    required: ['url', 'public-key', 'start-time'],
    optional: ['end-time', 'origin'],
  });
  const { url, 'public-key': file, origin } = spec.values;
  const validFor = periodOf(spec, undefined);
  return logOf(urlOf(spec, url), await readKey(context, file), origin, validFor);
}

// A log of Rekor v2 has a key of Ed25519, and is named by the whole hash of that key under its origin.
async function logOf(
  baseUrl: string,
  publicKey: PublicKey,
  origin: string | undefined,
  validFor: TransparencyLog['validFor'],
): Promise<TransparencyLog> {
  const { hostOfLog, logIdOf, noteKeyHash } = await import('../../trust/index.ts');
  const name = origin ?? hostOfLog(baseUrl);
  const logId =
    publicKey.algorithm === 'ed25519' && name !== undefined ? noteKeyHash(name, publicKey) : logIdOf(publicKey);
  return { baseUrl, publicKey, logId, ...(validFor === undefined ? {} : { validFor }) };
}

async function readAuthority(
  context: CommandContext,
  flag: 'fulcio' | 'tsa',
  text: string,
): Promise<CertificateAuthority> {
  const spec = parseServiceSpec(flag, text, {
    required: ['url', 'certificate-chain'],
    optional: ['start-time', 'end-time'],
  });
  const { chain, validFor: own } = await readChain(context, spec.values['certificate-chain']);
  const validFor = periodOf(spec, own?.start);
  return { chain, uri: urlOf(spec, spec.values.url), ...(validFor === undefined ? {} : { validFor }) };
}

// It is trusted from when all of it is valid, unless somebody says otherwise.
async function readChain(context: CommandContext, file: string): Promise<CertificateAuthority> {
  const chain = await readCertificates(context, file, 'certificate chain');
  const start = new Date(Math.max(...chain.map(({ notBefore }) => notBefore.getTime())));
  return { chain, validFor: { start } };
}

async function readKey(context: CommandContext, file: string): Promise<PublicKey> {
  if (file === '') throw new CliError('usage', 'the name of a key file is empty');
  const { decodePublicKey } = await import('../../trust/index.ts');
  return decodePublicKey(await readFile(file, { cwd: context.cwd, what: 'public key', maxBytes: MAX_BYTES }), file);
}

const MAX_BYTES = 1024 * 1024;
