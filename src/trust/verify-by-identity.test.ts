// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { Bundle } from './bundle/bundle.ts';
import { decodeBundle } from './bundle/decode-bundle.ts';
import { encodeSignStatement } from './bundle/statement.ts';
import { newTestKey, newTestKeys, newTestStack } from './certificate/authority.fixture.ts';
import { compileIdentity, type ExpectedIdentity, type IdentityPattern } from './identity/identity.ts';
import { IMAGE, ISSUER, newTestSigstore, SIGNED, SUBJECT, type TestSigstore } from './keyless-seal.fixture.ts';
import { newTestLog, newTestWitness, type TestWitness } from './log/log.fixture.ts';
import { decodeTrustedRoot, type TrustedRoot } from './root/trusted-root.ts';
import type { Artifact, EvidenceDemand, SealCheck } from './seal-check.ts';
import { verifyBundle } from './verify-bundle.ts';

const PATTERN: IdentityPattern = { issuer: { exact: ISSUER }, subject: { exact: SUBJECT } };
const minutes = (count: number): Date => new Date(SIGNED.getTime() + count * 60_000);

let stack: TestSigstore;
let expected: ExpectedIdentity;
before(async () => {
  stack = await newTestSigstore();
  expected = await compileIdentity(PATTERN);
});

async function verify(
  bundle: Bundle,
  demand: Partial<EvidenceDemand> & { readonly identity?: IdentityPattern } = {},
  artifact: Artifact = IMAGE,
): Promise<SealCheck> {
  const { identity, ...rest } = demand;
  const identities = [identity === undefined ? expected : await compileIdentity(identity)];
  return verifyBundle(bundle, artifact, { trustedRoot: stack.trustedRoot, ...rest, identities });
}

async function codeOf(check: SealCheck | Promise<SealCheck>): Promise<string> {
  const done = await check;
  return done.kind === 'accepted' ? 'accepted' : done.rejection.code;
}

function withRoot(change: (root: TrustedRoot) => Partial<TrustedRoot>): { readonly trustedRoot: TrustedRoot } {
  return { trustedRoot: { ...stack.trustedRoot, ...change(stack.trustedRoot) } };
}

describe('accepts a seal by an identity', () => {
  test('in Rekor v1: who it was, by whose word, when, and where in the log', async () => {
    const check = await verify(await stack.seal());
    assert.ok(check.kind === 'accepted' && check.signer.kind === 'identity');
    assert.equal(check.signer.identity.subject, SUBJECT);
    assert.deepEqual(check.signer.identity.claims, { issuer: ISSUER, sourceRepositoryRef: 'refs/tags/v1' });
    const [entry] = check.evidence?.logEntries ?? [];
    assert.deepEqual(entry?.integratedTime, SIGNED);
    assert.equal(entry?.index, 1007);
    assert.equal(check.content.kind, 'statement');
  });

  test('in Rekor v2, with a timestamp', async () => {
    const check = await verify(await stack.seal({ logs: [stack.logV2], stamped: [SIGNED] }));
    assert.ok(check.kind === 'accepted');
    assert.deepEqual(
      check.evidence?.timestamps.map(({ time }) => time),
      [SIGNED],
    );
  });

  test('in both logs, where two are wanted', async () => {
    const bundle = await stack.seal({ logs: [stack.logV1, stack.logV2], stamped: [SIGNED] });
    assert.equal(await codeOf(verify(bundle, { thresholds: { logs: 2 } })), 'accepted');
  });

  test('with an entry of a log that is not trusted beside one that is', async () => {
    const bundle = await stack.seal({ logs: [await newTestLog(1), stack.logV1] });
    assert.equal(await codeOf(verify(bundle)), 'accepted');
  });

  test('with a timestamp that does not hold, where none is asked for', async () => {
    const bundle = await stack.seal();
    assert.equal(await codeOf(verify({ ...bundle, timestamps: [Uint8Array.of(0x30, 0)] })), 'accepted');
  });

  test('in no log, where it is ignored and a timestamp says when', async () => {
    const bundle = await stack.seal({ logs: [], stamped: [SIGNED] });
    assert.equal(await codeOf(verify(bundle, { ignoreLog: true, signedTimestamps: true })), 'accepted');
  });

  test('in no log, where it is ignored, while the certificate is valid', async () => {
    const bundle = await stack.seal({ logs: [] });
    assert.equal(await codeOf(verify(bundle, { ignoreLog: true, now: minutes(1) })), 'accepted');
  });

  test('without a certificate timestamp, where it is ignored', async () =>
    assert.equal(await codeOf(verify(await stack.seal({ withoutSct: true }), { ignoreScts: true })), 'accepted'));

  test('with a claim that is asked for', async () => {
    const identity = { ...PATTERN, claims: { sourceRepositoryRef: { exact: 'refs/tags/v1' } } };
    assert.equal(await codeOf(verify(await stack.seal(), { identity })), 'accepted');
  });

  test('after its key and authority have expired', async () => {
    const trust = withRoot(({ certificateAuthorities, logs }) => ({
      certificateAuthorities: certificateAuthorities.map((authority) => ({
        ...authority,
        validFor: { start: new Date(0), end: minutes(1) },
      })),
      logs: logs.map((log) => ({ ...log, validFor: { start: new Date(0), end: minutes(1) } })),
    }));
    assert.equal(await codeOf(verify(await stack.seal(), { ...trust, now: minutes(1_000_000) })), 'accepted');
  });
});

describe('rejects a seal', () => {
  const rejects = (name: string, code: string, check: () => Promise<SealCheck>): void => {
    test(`${name}: ${code}`, async () => assert.equal(await codeOf(check()), code));
  };

  // the signature
  rejects('by a key', 'key-material', async () =>
    verify({ ...(await stack.seal()), material: { kind: 'public-key' } }),
  );
  rejects('with another certificate beside it', 'signature-invalid', async () => {
    const { leaf } = await newTestStack(await newTestKeys());
    return verify({ ...(await stack.seal()), material: { kind: 'certificate', chain: [leaf.der] } });
  });
  rejects('with what is no certificate', 'certificate-malformed', async () =>
    verify({ ...(await stack.seal()), material: { kind: 'certificate', chain: [Uint8Array.of(0x30, 0)] } }),
  );
  rejects('of another image', 'subject-mismatch', async () =>
    verify(await stack.seal({ payload: encodeSignStatement({ algorithm: 'sha256', hex: '00'.repeat(32) }, {}) })),
  );
  rejects('with another payload', 'signature-invalid', async () => {
    const bundle = await stack.seal();
    assert.ok(bundle.content.kind === 'dsse');
    const envelope = { ...bundle.content.envelope, payload: Buffer.from('{}') };
    return verify({ ...bundle, content: { kind: 'dsse', envelope } });
  });

  // the log
  rejects('in no log', 'log-missing', async () => verify(await stack.seal({ logs: [] })));
  rejects('in no log, with a timestamp', 'log-missing', async () =>
    verify(await stack.seal({ logs: [], stamped: [SIGNED] })),
  );
  rejects('in a log that is not trusted', 'log-unknown', async () =>
    verify(await stack.seal({ logs: [await newTestLog(1)] })),
  );
  rejects('with the entry of another signature', 'log-entry-signature-mismatch', async () => {
    const { logEntries } = await stack.seal();
    return verify({ ...(await stack.seal()), logEntries });
  });
  rejects('with the entry of another signature beside its own', 'log-entry-signature-mismatch', async () => {
    const [other, own] = [await stack.seal(), await stack.seal()];
    return verify({ ...own, logEntries: [...own.logEntries, ...other.logEntries] });
  });
  rejects('with its entry twice', 'log-entry-duplicate', async () => {
    const bundle = await stack.seal();
    return verify({ ...bundle, logEntries: [...bundle.logEntries, ...bundle.logEntries] });
  });
  rejects('entered twice in one log, where two logs are wanted', 'log-entry-duplicate', async () =>
    verify(await stack.seal({ logs: [stack.logV1, stack.logV1] }), { thresholds: { logs: 2 } }),
  );
  rejects(
    'entered in one log as two kinds, where two logs are wanted (GHSA-9vcr-p3rj-q5q6)',
    'log-threshold',
    async () => {
      const bundle = await stack.seal();
      assert.ok(bundle.content.kind === 'dsse' && bundle.material.kind === 'certificate');
      const { payload, signatures } = bundle.content.envelope;
      const [signature, certificate] = [signatures[0]?.sig, bundle.material.chain[0]];
      assert.ok(signature !== undefined && certificate !== undefined);
      const hashed = { algorithm: 'sha256', bytes: hash('sha256', payload, 'buffer') } as const;
      const verifier = { kind: 'certificate', der: certificate, chain: [] } as const;
      const other = await stack.logV1.enter({
        kind: 'dsse',
        version: '0.0.1',
        envelopeHash: hashed,
        payloadHash: hashed,
        signatures: [{ signature, verifier }],
      });
      const both = { ...bundle, logEntries: [...bundle.logEntries, other] };
      assert.equal(await codeOf(verify(both)), 'accepted');
      return verify(both, { thresholds: { logs: 2 } });
    },
  );
  rejects('in one log that is listed under two ids, where two logs are wanted', 'log-threshold', async () => {
    const logKeyId = hash('sha256', 'another id', 'buffer');
    const bundle = await stack.seal({ logs: [stack.logV2], stamped: [SIGNED] });
    const both = { ...bundle, logEntries: bundle.logEntries.flatMap((entry) => [entry, { ...entry, logKeyId }]) };
    const listed = withRoot(({ logs }) => ({ logs: logs.flatMap((log) => [log, { ...log, logId: logKeyId }]) }));
    assert.equal(await codeOf(verify(both, listed)), 'accepted');
    return verify(both, { ...listed, thresholds: { logs: 2 } });
  });
  rejects('in one log, where two are wanted', 'log-threshold', async () =>
    verify(await stack.seal({ logs: [stack.logV1] }), { thresholds: { logs: 2 } }),
  );
  rejects('with another time than the log has signed', 'log-promise-invalid', async () => {
    const bundle = await stack.seal();
    return verify({
      ...bundle,
      logEntries: bundle.logEntries.map((entry) => ({ ...entry, integratedTime: 1_800_000_000 })),
    });
  });
  rejects('with a checkpoint that the log did not sign', 'log-checkpoint-signature-invalid', async () =>
    verify(await stack.seal({ entry: { signedBy: (await newTestKey()).private } })),
  );
  rejects('in a log whose key was retired before', 'log-not-trusted', async () =>
    verify(
      await stack.seal(),
      withRoot(({ logs }) => ({
        logs: logs.map((log) => ({ ...log, validFor: { start: new Date(0), end: minutes(-1) } })),
      })),
    ),
  );
  rejects('in Rekor v2, whose key was retired before the timestamp', 'log-not-trusted', async () =>
    verify(
      await stack.seal({ logs: [stack.logV2], stamped: [SIGNED] }),
      withRoot(({ logs }) => ({
        logs: logs.map((log) => ({ ...log, validFor: { start: new Date(0), end: minutes(-1) } })),
      })),
    ),
  );

  // the times
  rejects('in Rekor v2 without a timestamp: nothing says when', 'time-missing', async () =>
    verify(await stack.seal({ logs: [stack.logV2] })),
  );
  rejects('in Rekor v2 with a timestamp of another signature', 'time-missing', async () => {
    const { timestamps } = await stack.seal({ stamped: [SIGNED] });
    return verify({ ...(await stack.seal({ logs: [stack.logV2] })), timestamps });
  });
  rejects('without a timestamp where one is demanded', 'timestamp-missing', async () =>
    verify(await stack.seal(), { signedTimestamps: true }),
  );
  rejects('with the timestamp of another signature where one is demanded', 'timestamp-imprint-mismatch', async () => {
    const { timestamps } = await stack.seal({ stamped: [SIGNED] });
    return verify({ ...(await stack.seal()), timestamps }, { signedTimestamps: true });
  });
  rejects('with two timestamps of one authority where two authorities are wanted', 'timestamp-threshold', async () =>
    verify(await stack.seal({ stamped: [SIGNED, minutes(1)] }), { thresholds: { timestamps: 2 } }),
  );
  rejects('by an authority for timestamps that was not trusted then', 'timestamp-authority-not-trusted', async () =>
    verify(await stack.seal({ stamped: [SIGNED] }), {
      signedTimestamps: true,
      ...withRoot(({ timestampAuthorities }) => ({
        timestampAuthorities: timestampAuthorities.map(({ issuer, ...rest }) => ({
          ...rest,
          issuer: { ...issuer, validFor: { start: minutes(5) } },
        })),
      })),
    }),
  );
  rejects(
    'in an ignored log and without a timestamp, when the certificate has expired',
    'certificate-expired',
    async () => verify(await stack.seal({ logs: [] }), { ignoreLog: true, now: minutes(60) }),
  );
  rejects('in an ignored log and without a timestamp, where nobody says what time it is', 'time-missing', async () =>
    verify(await stack.seal(), { ignoreLog: true }),
  );
  rejects('whose entry would say when, and the log is ignored', 'certificate-expired', async () =>
    verify(await stack.seal(), { ignoreLog: true, now: minutes(60) }),
  );

  // the certificate
  rejects('logged after the certificate had expired', 'certificate-expired', async () =>
    verify(await stack.seal({ expired: true })),
  );
  rejects('logged in time, and stamped after the certificate had expired', 'certificate-expired', async () =>
    verify(await stack.seal({ stamped: [minutes(30)] })),
  );
  rejects('by an authority that has the name of a trusted one', 'certificate-key-identifier', async () => {
    const keys = await newTestKeys();
    const { intermediate } = await newTestStack(keys);
    return verify(await stack.seal({ issuer: intermediate, issuerKey: keys.intermediate }));
  });
  rejects('where no authority is trusted', 'certificate-issuer-unknown', async () =>
    verify(
      await stack.seal(),
      withRoot(() => ({ certificateAuthorities: [] })),
    ),
  );
  rejects('by an authority that was not trusted then', 'authority-not-trusted', async () =>
    verify(
      await stack.seal(),
      withRoot(({ certificateAuthorities }) => ({
        certificateAuthorities: certificateAuthorities.map((authority) => ({
          ...authority,
          validFor: { start: minutes(5) },
        })),
      })),
    ),
  );
  rejects('without a certificate timestamp', 'sct-missing', async () => verify(await stack.seal({ withoutSct: true })));
  rejects('with one of a log that is not trusted', 'sct-log-unknown', async () =>
    verify(await stack.seal({ ctLog: await newTestKey() })),
  );
  rejects('with one certificate log where two are wanted', 'sct-threshold', async () =>
    verify(await stack.seal(), { thresholds: { scts: 2 } }),
  );

  // the identity
  rejects('by somebody else', 'identity-subject-mismatch', async () =>
    verify(await stack.seal(), { identity: { ...PATTERN, subject: { exact: 'dev@example.com' } } }),
  );
  rejects('by the same name at another issuer', 'identity-issuer-mismatch', async () =>
    verify(await stack.seal({ claims: { issuer: 'https://other.example' } })),
  );
  rejects('by another build', 'identity-claim-mismatch', async () =>
    verify(await stack.seal(), {
      identity: { ...PATTERN, claims: { sourceRepositoryRef: { expression: '^refs/heads/' } } },
    }),
  );
});

/** Cases that no log has seen, and what says when they were made. */
const IGNORED: Readonly<Record<string, Partial<EvidenceDemand>>> = {
  'keyless-3.1.1-tsa-only': { ignoreLog: true, signedTimestamps: true },
  'keyless-3.1.1-none': { ignoreLog: true, now: new Date('2026-11-22T07:04:00Z') },
};

describe('what cosign sealed keyless is accepted, for the identity that sealed it alone', async () => {
  const golden = join(import.meta.dirname, '../../test/golden');
  const trustedRoot = decodeTrustedRoot(readFileSync(join(golden, '_stack/trusted_root.json')), 'trusted_root.json');
  const blob: Artifact = { kind: 'bytes', bytes: readFileSync(join(golden, '_inputs/blob.txt')) };
  const issuer = { exact: 'http://localhost:5570/oidc' };
  const dev = await compileIdentity({ issuer, subject: { exact: 'dev@lab.example' } });
  const other = await compileIdentity({ issuer, subject: { exact: 'x@y' } });
  const cases = readdirSync(golden).filter((name) => name.startsWith('keyless-'));
  for (const name of cases)
    for (const file of readdirSync(join(golden, name)).filter((path) => path.endsWith('.json')))
      test(`${name}/${file}`, async () => {
        const bundle = decodeBundle(readFileSync(join(golden, name, file)), file);
        const ignored = IGNORED[name] ?? {};
        const accepted = await verifyBundle(bundle, blob, { trustedRoot, ...ignored, identities: [other, dev] });
        assert.ok(accepted.kind === 'accepted' && accepted.signer.kind === 'identity', JSON.stringify(accepted));
        assert.equal(accepted.signer.identity.subject, 'dev@lab.example');
        assert.equal(
          await codeOf(verifyBundle(bundle, blob, { trustedRoot, ...ignored, identities: [other] })),
          'identity-subject-mismatch',
        );
        if (bundle.timestamps.length === 0)
          assert.equal(
            await codeOf(verifyBundle(bundle, blob, { trustedRoot, identities: [dev], signedTimestamps: true })),
            'timestamp-missing',
          );
      });
  test('there are some', () => assert.ok(cases.length >= 4));
});

describe('the entry of a log', () => {
  const [first, second, third] = [
    newTestWitness('one.example'),
    newTestWitness('two.example', 'ml-dsa-44'),
    newTestWitness('three.example'),
  ];
  const demand = (threshold: number, ...of: readonly TestWitness[]): Partial<EvidenceDemand> => ({
    witnesses: { keys: of.map(({ key }) => key), threshold },
  });
  const seal = (...cosignedBy: readonly TestWitness[]): Promise<Bundle> =>
    stack.seal({ logs: [stack.logV2], stamped: [SIGNED], entry: { cosignedBy } });

  test('shows how many lines are under its checkpoint, and names no witness whose key is not known', async () => {
    for (const lines of [[], [first], [first, second]]) {
      const check = await verify(await seal(...lines));
      assert.ok(check.kind === 'accepted');
      const [entry] = check.evidence?.logEntries ?? [];
      assert.deepEqual([entry?.witnesses, entry?.cosignatureLines], [[], lines.length]);
    }
  });

  test('names the witnesses that were asked for and have seen it, and when', async () => {
    for (const log of [stack.logV1, stack.logV2]) {
      const bundle = await stack.seal({ logs: [log], stamped: [SIGNED], entry: { cosignedBy: [first, second] } });
      const check = await verify(bundle, demand(1, third, second));
      assert.ok(check.kind === 'accepted');
      const [entry] = check.evidence?.logEntries ?? [];
      assert.deepEqual(entry?.witnesses, [{ name: 'two.example', time: SIGNED }]);
      assert.equal(entry.cosignatureLines, 2);
    }
  });

  test('does not count where fewer witnesses have seen it than are asked for', async () => {
    const bundle = await seal(first, second);
    assert.equal(await codeOf(verify(bundle, demand(2, first, second, third))), 'accepted');
    const check = await verify(bundle, demand(3, first, second, third));
    assert.deepEqual(check.kind === 'rejected' && check.rejection, {
      code: 'witness-threshold',
      found: 'an entry whose checkpoint was cosigned by one.example, two.example',
      expected: 'by at least 3 of the witnesses one.example, two.example, three.example',
    });
    assert.equal(await codeOf(verify(await seal(), demand(1, first))), 'witness-threshold');
    // who cosigns twice, or has two keys, is one witness
    assert.equal(await codeOf(verify(await seal(first, first), demand(2, first, second))), 'witness-threshold');
    const renewed = newTestWitness('one.example');
    assert.equal(await codeOf(verify(await seal(first, renewed), demand(2, first, renewed))), 'witness-threshold');
  });

  test('does not count by another’s cosignature under the name of a witness, or one of another checkpoint', async () => {
    const impostor = newTestWitness('one.example');
    assert.equal(await codeOf(verify(await seal(impostor), demand(1, first))), 'witness-threshold');
    const { cosign } = first;
    const elsewhere: TestWitness = {
      ...first,
      cosign: (text, at) => cosign(text.replace('log.example', 'x.example'), at),
    };
    assert.equal(await codeOf(verify(await seal(elsewhere), demand(1, first))), 'witness-threshold');
    const renamed: TestWitness = {
      ...first,
      cosign: (text, at) => ({ ...impostor.cosign(text, at), keyId: first.key.keyId }),
    };
    assert.equal(await codeOf(verify(await seal(renamed), demand(1, first))), 'witness-threshold');
  });

  test('that has a promise alone has no witnesses', async () => {
    const bundle = await stack.seal({ entry: { cosignedBy: [first] } });
    const promised = {
      ...bundle,
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
      logEntries: bundle.logEntries.map((entry) => without(entry, 'inclusionProof')),
    };
    assert.equal(await codeOf(verify(promised)), 'accepted');
    assert.equal(await codeOf(verify(promised, demand(1, first))), 'witness-threshold');
  });

  test('counts beside one that no witness has seen, which says no time either', async () => {
    const cosigned = await stack.seal({
      logs: [stack.logV2, stack.logV1],
      stamped: [SIGNED],
      entry: { cosignedBy: [first] },
    });
    const bare = cosigned.logEntries.map((one, at) =>
      at === 0 || one.inclusionProof?.checkpoint === undefined
        ? one
        : {
            ...one,
            inclusionProof: {
              ...one.inclusionProof,
              checkpoint: one.inclusionProof.checkpoint.replace(/— one\.example .*\n/, ''),
            },
          },
    );
    const bundle = { ...cosigned, logEntries: bare };
    const check = await verify(bundle, demand(1, first));
    assert.ok(check.kind === 'accepted');
    assert.deepEqual(
      check.evidence?.logEntries.map(({ log }) => log.baseUrl),
      [stack.logV2.log.baseUrl],
    );
    assert.equal(await codeOf(verify(bundle, { ...demand(1, first), thresholds: { logs: 2 } })), 'witness-threshold');
  });
});

function without<T extends object, Name extends keyof T>(whole: T, name: Name): Omit<T, Name> {
  const rest: Partial<T> = { ...whole };
  delete rest[name];
  return rest as Omit<T, Name>;
}
