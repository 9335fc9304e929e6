// SPDX-License-Identifier: Apache-2.0

/** A document that holds a seal, without what is another each time: signatures and times. */
export function withoutSignatures(text: string): string {
  return normalised(text)
    .replaceAll(/("dev\.cosignproject\.cosign\/signature":")[A-Za-z0-9+/]{80,}={0,2}"/g, '$1<signature>"')
    .replaceAll(/("sig":")[A-Za-z0-9+/]{80,}={0,2}"/g, '$1<signature>"')
    .replaceAll(/("org\.opencontainers\.image\.created":")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/g, '$1<time>"');
}

/**
 * A bundle or envelope with its statement in the place of its payload. Of a statement the order of members is no part of what it says: two
 * versions of cosign differ in it. When a custom predicate was attested is one of the times.
 */
function normalised(text: string): string {
  if (!text.includes('"payloadType"')) return text;
  const { dsseEnvelope, ...bundle } = JSON.parse(text) as { readonly dsseEnvelope?: Envelope } & Record<
    string,
    unknown
  >;
  const { payload, payloadType, signatures } = dsseEnvelope ?? (bundle as unknown as Envelope);
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString()) as { readonly predicateType: string };
  const signed = { payloadType, statement: sorted(statement), signatures: signatures.map(({ sig }) => ({ sig })) };
  const shape = dsseEnvelope === undefined ? signed : { ...bundle, dsseEnvelope: signed };
  // a signature has it in every other kind of predicate too, where it stays
  const custom = statement.predicateType === 'https://cosign.sigstore.dev/attestation/v1';
  return JSON.stringify(shape).replace(custom ? /("Timestamp":")[^"]+"/ : /$^/, '$1<time>"');
}

interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: string }[];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
