// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SealToAttach } from '../../image/index.ts';
import { attachSeal } from '../attestation/attach-seal.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';

const FLAGS = {
  signature: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'signature in base64, or a file with it; - for standard input',
  },
  payload: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'what was signed; the payload that cosign makes of the image unless told',
  },
  bundle: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'bundle with the signature, instead of the other flags',
  },
  certificate: { kind: 'string', default: '', placeholder: 'FILE', help: 'certificate of the signer, in PEM' },
  'certificate-chain': { kind: 'string', default: '', placeholder: 'FILE', help: 'certificates above it, in PEM' },
  'rekor-response': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: "what a log promised, as in sign-blob's older bundles (rekorBundle)",
  },
  tsr: { kind: 'string', default: '', placeholder: 'FILE', help: 'response of a timestamp authority (RFC 3161)' },
  'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .sig tag' },
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

const MAX_BYTES = 4 * 1024 * 1024;
const BESIDE = ['certificate', 'certificate-chain', 'rekor-response', 'tsr', 'payload', 'signature'] as const;

/** `bulla attach signature`: a signature that was made elsewhere, with OpenSSL or a hardware key. */
export const command: Command = defineCommand({
  name: 'attach signature',
  summary: 'Lay a signature that was made elsewhere beside an image',
  description:
    'Takes a bundle, which becomes a referrer, or a signature over the payload of the older format, which goes into the .sig tag with what lies beside it. ' +
    'It must be about the image; by whom it is is for verify to say. Prints the image as name@digest.',
  usage: '[flags] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla attach signature --bundle app.sigstore.json registry.example.com/platform/demo-api@sha256:…',
    'bulla attach signature --payload payload.json --signature payload.sig registry.example.com/platform/demo-api@sha256:…',
  ],
  async run(context, [image = ''], flags) {
    return attachSeal(context, image, [await sealOf(context, flags)], flags);
  },
});

async function sealOf(context: CommandContext, flags: Flags): Promise<SealToAttach> {
  const read = (name: string, what: string): Promise<Uint8Array> =>
    readFile(name, { cwd: context.cwd, what, maxBytes: MAX_BYTES });
  if (flags.bundle !== '') {
    const other = BESIDE.find((name) => flags[name] !== '');
    if (other !== undefined) throw new CliError('usage', `--bundle has all in it: leave --${other} out`);
    return { kind: 'signature-bundle', document: await read(flags.bundle, 'bundle') };
  }
  if (flags.signature === '') throw new CliError('usage', 'one of --signature and --bundle is required');
  const signature = await signatureOf(context, flags.signature);
  const beside = await besideOf(flags, read);
  const payload = flags.payload === '' ? {} : { payload: await read(flags.payload, 'payload') };
  return { kind: 'signature', signature, beside, ...payload };
}

/** As cosign takes it: standard input, a file, or the signature itself. */
async function signatureOf(context: CommandContext, given: string): Promise<string> {
  const bytes =
    given === '-'
      ? await context.readStdin(MAX_BYTES)
      : existsSync(resolve(context.cwd, given))
        ? await readFile(given, { cwd: context.cwd, what: 'signature', maxBytes: MAX_BYTES })
        : Buffer.from(given);
  const text = Buffer.from(bytes).toString('latin1').trim();
  const { decodeBase64 } = await import('../../wire/index.ts');
  decodeBase64(text, 'the signature');
  return text;
}

async function besideOf(
  flags: Flags,
  read: (name: string, what: string) => Promise<Uint8Array>,
): Promise<Record<string, string>> {
  const { decodeCertificates, encodeRekorBundle, readRekorBundle } = await import('../../trust/index.ts');
  const { encodeBase64, isJsonObject, parseJson } = await import('../../wire/index.ts');
  const beside: Record<string, string> = {};
  for (const [flag, name] of [
    ['certificate', 'dev.sigstore.cosign/certificate'],
    ['certificate-chain', 'dev.sigstore.cosign/chain'],
  ] as const) {
    if (flags[flag] === '') continue;
    const pem = await read(flags[flag], flag);
    decodeCertificates(pem, flags[flag]);
    beside[name] = new TextDecoder().decode(pem);
  }
  if (flags['rekor-response'] !== '') {
    const what = flags['rekor-response'];
    const json = parseJson(await read(what, 'log entry'), { what });
    const entry = isJsonObject(json) ? (json['rekorBundle'] ?? json) : json;
    beside['dev.sigstore.cosign/bundle'] = encodeRekorBundle(readRekorBundle(entry, what));
  }
  if (flags.tsr !== '') {
    const stamp = encodeBase64(await read(flags.tsr, 'timestamp'));
    beside['dev.sigstore.cosign/rfc3161timestamp'] = JSON.stringify({ SignedRFC3161Timestamp: stamp });
  }
  return beside;
}
