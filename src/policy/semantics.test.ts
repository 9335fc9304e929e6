// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError, type Repository } from '../oci/index.ts';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import { ISSUER, newTestSigstore, SIGNED, SUBJECT } from '../trust/keyless-seal.fixture.ts';
import type { Decision } from './index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from './scene.fixture.ts';

// What a ClusterImagePolicy means in policy-controller, row by row, and where it means something else here on purpose. Rows 8 and 11 are about
// reviews of the API server: `src/gate/admission` and `src/gate/cluster` have their tests.

const sigstore = await newTestSigstore();
const fallback = sigstore.trustedRoot;
const [ci, release, stranger] = [await newSigner(), await newSigner(), await newSigner()];
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const SCAN = 'https://example.com/scan/v1';
const LOG = 'https://log.example:3000/rekor';
const DIGEST = `sha256:${'0'.repeat(64)}`;
const PASS = { static: { action: 'pass' } };
const key = ({ publicKey }: Signer): object => ({ data: encodePublicKey(publicKey) });
const keyless = (more: object = {}, keylessMore: object = {}): object => ({
  name: 'id',
  keyless: { identities: [{ issuer: ISSUER, subject: SUBJECT }], ...keylessMore },
  ...more,
});

async function scene(seal: (scene: Scene) => Promise<void> = async () => undefined): Promise<Scene> {
  const made = await Scene.create();
  await seal(made);
  return made;
}

async function sealedBy(signer: Signer, ...formats: readonly ('bundle' | 'legacy')[]): Promise<Scene> {
  return scene((made) => made.sign(signer, formats.length === 0 ? ['bundle'] : formats));
}

type SealChange = NonNullable<Parameters<typeof sigstore.seal>[0]>;

async function sealedKeyless(how: SealChange = {}, predicateType = SIGN): Promise<Scene> {
  return scene(async (made) => made.lay(await sigstore.seal({ payload: made.statement(predicateType), ...how })));
}

function said({ outcome, policies: [policy], nearest }: Decision): string {
  const code = policy?.code === 'met' ? undefined : (nearest?.code ?? policy?.code);
  return [outcome, code].filter((word) => word !== undefined).join(' ');
}

describe('row 1: an image is matched by its full name, or as it was written', () => {
  const rows: readonly (readonly [image: string, glob: string, matches: boolean])[] = [
    ['foo', 'index.docker.io/library/foo:latest', true],
    ['foo', 'foo', true],
    ['foo', '*', true],
    ['acme/foo', '*', false],
    ['acme/foo', '*/*', true],
    ['ghcr.io/acme/foo', '*/*', false],
    ['ghcr.io/acme/foo:1', 'ghcr.io/acme/*', true],
    ['ghcr.io/acme/team/foo:1', 'ghcr.io/acme/*', false],
    ['ghcr.io/acme/team/foo:1', 'ghcr.io/acme/**', true],
    ['ghcr.io/acme/foo:1', 'ghcr.io/acme/foo*', true],
    ['ghcr.io/acme/foo:1', 'ghcr.io/acme/foo', false],
    ['ghcraio/acme/foo:1', 'ghcr.io/acme/*', false],
    [`ghcr.io/acme/foo:1@${DIGEST}`, 'ghcr.io/acme/foo:1', false],
    [`ghcr.io/acme/foo:1@${DIGEST}`, `ghcr.io/acme/foo@${DIGEST}`, true],
    ['xghcr.io/acme/foo:1', 'ghcr.io/acme/*', false],
    ['ghcr.io/acme/foo:1', 'ghcr.io/acme/fo', false],
  ];
  for (const [image, glob, matches] of rows)
    it(`${image} ${matches ? 'by' : 'not by'} ${glob}`, async () => {
      const decision = await (await scene()).decide(policyOf([PASS], { images: [{ glob }] }), { image });
      assert.equal(decision.code, matches ? 'met' : 'no-policy-matches');
    });
});

describe('row 2, different on purpose: a tag is resolved, not rejected', () => {
  it('once, and what it was is what is decided on', async () => {
    const decision = await (await sealedBy(ci)).decide(policyOf([{ key: key(ci) }]), { image: `${NAME}:v1` });
    assert.equal(decision.outcome, 'trusted');
    assert.match(decision.digest ?? '', /^sha256:/);
  });
  it('and where the registry does not say, that is what is said, and undecided', async () => {
    const made = await sealedBy(ci);
    made.failures.set('resolve', unreachable());
    const decision = await made.decide(policyOf([{ key: key(ci) }]), { image: `${NAME}:v1` });
    assert.deepEqual([decision.outcome, decision.cause?.code], ['undecided', 'unreachable']);
    assert.doesNotMatch(decision.message, /must be/);
  });
  it('nor need a static pass look at it', async () => {
    const made = await scene();
    assert.equal((await made.decide(policyOf([PASS]), { image: `${NAME}:v1` })).outcome, 'trusted');
    assert.deepEqual(made.calls, []);
  });
});

describe('row 3: policies are ANDed, authorities ORed', () => {
  const rows: readonly (readonly [what: string, policies: string, expected: string])[] = [
    ['one policy, one of two authorities', policyOf([{ key: key(stranger) }, { key: key(ci) }]), 'trusted'],
    ['two policies, both met', policyOf([{ key: key(ci) }]) + policyOf([PASS], {}, 'q'), 'trusted'],
    [
      'two policies, one not met',
      policyOf([{ key: key(stranger) }]) + policyOf([{ key: key(ci) }], {}, 'q'),
      'refused signature-invalid',
    ],
    ['several keys, one of which signed', policyOf([{ key: { data: pems(stranger, ci) } }]), 'trusted'],
    [
      'attestations, one of which is not there, though a signature is',
      policyOf([{ key: key(ci), attestations: [{ name: 'a', predicateType: SCAN }] }]),
      'refused not-attestation',
    ],
  ];
  for (const [what, policies, expected] of rows)
    it(what, async () => assert.equal(said(await (await sealedBy(ci)).decide(policies)), expected));

  it('attestations alone are enough for an authority that asks for them, each of which there must be', async () => {
    const made = await scene((one) => one.attest(ci, SCAN, {}));
    const of = async (...types: readonly string[]): Promise<string> =>
      said(
        await made.decide(
          policyOf([
            { key: key(ci), attestations: types.map((predicateType, at) => ({ name: `a${at}`, predicateType })) },
          ]),
        ),
      );
    assert.equal(await of(SCAN), 'trusted');
    assert.match(await of(SCAN, 'https://example.com/other'), /^refused /);
    assert.match(said(await made.decide(policyOf([{ key: key(ci) }]))), /^refused /, 'and are no signature');
  });
});

function pems(...signers: readonly Signer[]): string {
  return signers.map(({ publicKey }) => encodePublicKey(publicKey)).join('');
}

describe('row 4: the policy over what authorities found', () => {
  const over = (data: string, more: object = {}): object => ({ policy: { type: 'cel', data, ...more } });
  const two = [
    { name: 'ci', key: key(ci) },
    { name: 'release', key: key(release) },
  ];

  it('runs only where an authority is satisfied', async () => {
    const decision = await (await sealedBy(stranger)).decide(policyOf(two, over('true')));
    assert.deepEqual([decision.outcome, decision.policies[0]?.code], ['refused', 'authorities-failed']);
  });
  it('sees those that are, by name, with their seals, and no other', async () => {
    const made = await sealedBy(ci);
    for (const [data, expected] of [
      ['has(authorityMatches.ci) && size(authorityMatches.ci.signatures) == 1', 'trusted'],
      ['has(authorityMatches.release)', 'refused'],
      ['authorityMatches.ci.signatures.all(s, s.id != "")', 'trusted'],
    ] as const)
      assert.equal((await made.decide(policyOf(two, over(data)))).outcome, expected, data);
  });
  it('sees who signed, of a bundle too, where policy-controller shows nothing', async () => {
    const [made, attested] = [await sealedKeyless(), await sealedKeyless({}, SCAN)];
    const attestations = [{ name: 'scan', predicateType: SCAN }];
    const who = `issuer == "${ISSUER}"`;
    const signature = over(
      `authorityMatches.id.signatures[0].subject == "${SUBJECT}" && authorityMatches.id.signatures[0].${who}`,
    );
    assert.equal((await made.decide(policyOf([keyless()], signature), { fallback })).outcome, 'trusted');
    const statement = over(
      `authorityMatches.id.attestations.scan[0].subject == "${SUBJECT}" && authorityMatches.id.attestations.scan[0].${who} && authorityMatches.id.attestations.scan[0].predicateType == "${SCAN}"`,
    );
    assert.equal(
      (await attested.decide(policyOf([keyless({ attestations })], statement), { fallback })).outcome,
      'trusted',
    );
  });
  it('sees a static pass, and of the object what it asks for', async () => {
    const context = { spec: { n: 1 }, metadata: { labels: { a: 'b' } }, typemeta: { kind: 'Pod' } };
    const all = { includeSpec: true, includeObjectMeta: true, includeTypeMeta: true };
    const data = 'authorityMatches.s.static && spec.n == 1.0 && metadata.labels.a == "b" && typemeta.kind == "Pod"';
    const made = await scene();
    const policy = policyOf([{ name: 's', ...PASS }], over(data, all));
    assert.equal((await made.decide(policy, context)).outcome, 'trusted');
    assert.equal((await made.decide(policyOf([{ name: 's', ...PASS }], over(data)), context)).outcome, 'refused');
  });
});

describe('row 5: the policy over an attestation', () => {
  it('sees the whole statement', async () => {
    const made = await scene((one) => one.attest(ci, SCAN, { level: 2 }));
    const of = async (data: string): Promise<string> => {
      const attestations = [{ name: 'a', predicateType: SCAN, policy: { type: 'cel', data } }];
      return (await made.decide(policyOf([{ key: key(ci), attestations }]))).outcome;
    };
    const digest = made.digest.slice('sha256:'.length);
    assert.equal(await of('statement.predicate.level == 2.0'), 'trusted');
    assert.equal(await of(`statement.predicateType == "${SCAN}"`), 'trusted');
    assert.equal(await of(`statement.subject[0].digest.sha256 == "${digest}"`), 'trusted');
    assert.equal(await of('statement._type.startsWith("https://in-toto.io/Statement/")'), 'trusted');
    assert.equal(await of('statement.predicate.level == 3.0'), 'refused');
  });
});

describe('row 6: an image that no policy is about', () => {
  const settings = (noMatchPolicy: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config-policy-controller' },
      data: { 'no-match-policy': noMatchPolicy },
    });
  for (const [text, expected] of [
    ['', 'refused 0'],
    [settings('deny'), 'refused 0'],
    [settings('warn'), 'trusted 1'],
    [settings('allow'), 'trusted 0'],
  ] as const)
    it(`${text === '' ? 'nothing said' : text.slice(-20)}: ${expected}`, async () => {
      const { outcome, warnings } = await (await scene()).decide(policyOf([PASS]) + text, { image: 'ghcr.io/a/b' });
      assert.equal(`${outcome} ${warnings.length}`, expected);
    });
});

describe('row 7: warn', () => {
  it('turns the failures of that policy into warnings, and of no other', async () => {
    const made = await sealedBy(ci);
    const lenient = policyOf([{ key: key(stranger) }], { mode: 'warn' }, 'lenient');
    const alone = await made.decide(lenient);
    assert.deepEqual([alone.outcome, alone.warnings.length], ['trusted', 1]);
    const beside = await made.decide(lenient + policyOf([{ key: key(stranger) }], {}, 'strict'));
    assert.deepEqual([beside.outcome, beside.warnings.length], ['refused', 1]);
  });
  it('does not let through an error of a kind that nobody knows', async () => {
    const made = await sealedBy(ci);
    made.failures.set('referrers', new RangeError('who knows'));
    const decision = await made.decide(policyOf([{ key: key(stranger) }], { mode: 'warn' }));
    assert.deepEqual([decision.outcome, decision.cause?.code], ['undecided', 'unexpected']);
  });
});

describe('row 9: which log is asked for', () => {
  const roots = new Map([['acme', fallback]]);
  const rows: readonly (readonly [what: string, how: SealChange, authority: object, expected: string])[] = [
    ['keyless, nothing said: one of the trusted root', {}, keyless(), 'trusted'],
    ['keyless, nothing said, no log', { logs: [] }, keyless(), 'refused log-missing'],
    ['keyless, the log that is named', {}, keyless({ ctlog: { url: LOG } }), 'trusted'],
    [
      'keyless, the log that is named, of a TrustRoot',
      {},
      keyless({ ctlog: { url: LOG, trustRootRef: 'acme' } }),
      'trusted',
    ],
    [
      'keyless, a TrustRoot for both',
      {},
      keyless({ ctlog: { trustRootRef: 'acme' } }, { trustRootRef: 'acme' }),
      'trusted',
    ],
    [
      'keyless, timestamps: no log is asked for',
      { logs: [], stamped: [SIGNED] },
      keyless({ rfc3161timestamp: { trustRootRef: 'acme' } }),
      'trusted',
    ],
    [
      'keyless, timestamps, none there',
      {},
      keyless({ rfc3161timestamp: { trustRootRef: 'acme' } }),
      'refused timestamp-missing',
    ],
  ];
  for (const [what, how, authority, expected] of rows)
    it(what, async () => {
      const made = await sealedKeyless(how);
      assert.equal(said(await made.decide(policyOf([authority]), { fallback, roots })), expected);
      assert.deepEqual([...new Set(made.opened)], [NAME], 'nobody is dialled but the registry');
    });
  it('a key and nothing said: none', async () => {
    assert.equal(said(await (await sealedBy(ci)).decide(policyOf([{ key: key(ci) }]))), 'trusted');
  });
  it('different on purpose: an address that no trusted root lists is never dialled, the policy is not loaded', async () => {
    const policy = policyOf([keyless({ ctlog: { url: 'https://other.example' } })]);
    await assert.rejects((await sealedKeyless()).decide(policy, { fallback }), { code: 'policy-unresolved' });
  });
});

describe('row 10, different on purpose: formats', () => {
  const rows: readonly (readonly [format: string | undefined, sealed: 'bundle' | 'legacy', trusted: boolean])[] = [
    [undefined, 'bundle', true],
    [undefined, 'legacy', true],
    ['bundle', 'bundle', true],
    ['bundle', 'legacy', false],
    ['legacy', 'bundle', false],
    ['legacy', 'legacy', true],
  ];
  for (const [signatureFormat, sealed, trusted] of rows) {
    const authority = { key: key(ci), ...(signatureFormat === undefined ? {} : { signatureFormat }) };
    const title = `signatureFormat ${signatureFormat ?? 'left out'}, a ${sealed}`;
    it(`${title} signature by a key: ${trusted ? 'counts' : 'does not'}`, async () => {
      const { outcome } = await (await sealedBy(ci, sealed)).decide(policyOf([authority]));
      assert.equal(outcome, trusted ? 'trusted' : 'refused');
    });
    it(`${title} attestation by a key: ${trusted ? 'counts' : 'does not'}`, async () => {
      const made = await scene((one) => one.attest(ci, SCAN, {}, [sealed]));
      const attestations = [{ name: 'a', predicateType: SCAN }];
      const { outcome } = await made.decide(policyOf([{ ...authority, attestations }]));
      assert.equal(outcome, trusted ? 'trusted' : 'refused');
    });
  }
  it('TrustRoots of log and clock need not be that of the certificate', async () => {
    const other = (await newTestSigstore()).trustedRoot;
    const authority = (log: string): object =>
      keyless({ ctlog: { trustRootRef: log }, signatureFormat: 'bundle' }, { trustRootRef: 'ours' });
    const roots = new Map([
      ['ours', fallback],
      ['other', other],
    ]);
    const made = await sealedKeyless();
    assert.equal((await made.decide(policyOf([authority('ours')]), { roots })).outcome, 'trusted');
    assert.equal((await made.decide(policyOf([authority('other')]), { roots })).outcome, 'refused');
  });
});

describe('what a registry may answer to any row', () => {
  it('an image that is not there is refused, and one that nobody may read is undecided', async () => {
    const made = await sealedBy(ci);
    const policy = policyOf([{ key: key(ci) }]);
    assert.equal((await made.decide(policy, { image: `${NAME}:nothing` })).code, 'image-missing');
    const open = async (name: string): Promise<Repository> => {
      throw new RegistryError('denied', `${name} may not be read`);
    };
    const decision = await made.decide(policy, { open });
    assert.deepEqual([decision.outcome, decision.cause?.code], ['undecided', 'denied']);
  });
});
