// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesBlob, digestOf, MediaType, type Digest } from '../oci/index.ts';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import { ISSUER, newTestSigstore, SIGNED, SUBJECT } from '../trust/keyless-seal.fixture.ts';
import { CodedError } from '../wire/index.ts';
import { ENGINES, missing } from './engine/engine-place.fixture.ts';
import { findEngines, type Decision, type Engines, type PolicySurroundings } from './index.ts';
import { NAME, newSigner, policyOf, Scene } from './scene.fixture.ts';

const OTHER = 'https://example.com/other/v1';
const VULN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const noCue = await missing('cue');
const noRego = await missing('rego');
const surroundings = { engines: ENGINES };
const encoded = (signer: Signer): string => encodePublicKey(signer.publicKey);

function attested(signer: Signer, type: string, data: string): string {
  const attestations = [{ name: 'a', predicateType: OTHER, policy: { type, data } }];
  return policyOf([{ name: 'k', key: { data: encoded(signer) }, attestations }]);
}

function over(type: string, data: string, more: object = {}): string {
  return policyOf([{ name: 's', static: { action: 'pass' } }], { policy: { type, data, ...more } });
}

const found = ({ outcome, nearest, cause }: Decision): string =>
  `${outcome} ${nearest?.found ?? cause?.message ?? ''}`.trim();

describe('policies in CUE', { skip: noCue }, () => {
  it('decide over the statement, and say which field is wrong', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { level: 2, by: 'ci' });
    const of = async (data: string): Promise<string> =>
      found(await scene.decide(attested(signer, 'cue', data), { surroundings }));
    assert.equal(await of(`predicateType: "${OTHER}"\npredicate: level: >=2`), 'trusted');
    assert.equal(await of('predicate: level: >=3'), 'refused predicate.level: invalid value 2 (out of bound >=3)');
    assert.equal(await of('predicate: who: string'), 'refused predicate.who is not there, expected string');
  });

  it('decide over what the authorities found, and say why in the decision', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    const authorities = [one, two].map((signer, at) => ({ name: `k${at}`, key: { data: encoded(signer) } }));
    const data =
      'import "list"\nauthorityMatches: {k0: signatures: list.MinItems(1), k1: signatures: list.MinItems(1)}';
    const policy = policyOf(authorities, { policy: { type: 'cue', data } });
    await scene.sign(one);
    const refused = await scene.decide(policy, { surroundings });
    const [result] = refused.policies;
    assert.equal(`${refused.outcome} ${result?.code}`, 'refused program-refused');
    assert.match(result?.message ?? '', /refuses it: authorityMatches\.k1\.signatures/);
    await scene.sign(two);
    assert.equal((await scene.decide(policy, { surroundings })).outcome, 'trusted');
  });

  it('that are wrong are never loaded', async () => {
    const scene = await Scene.create();
    await assert.rejects(scene.decide(over('cue', 'a: {'), { surroundings }), {
      code: 'policy-malformed',
      message: /p\.yaml:1:\d+: spec\.policy: not CUE that can be used: .*line 1/,
    });
  });

  it('are undecided over more than is handed to them', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { text: 'x'.repeat(5 * 1024 * 1024) });
    const decision = await scene.decide(attested(signer, 'cue', 'predicate: text: string'), { surroundings });
    assert.match(
      found(decision),
      /^undecided the attestation has 52\d+ bytes, at most 4194304 are handed to a policy in CUE/,
    );
    assert.equal(decision.cause?.code, 'program-unfinished');
  });
});

describe('policies in Rego', { skip: noRego }, () => {
  it('decide over the statement, and give the reason that they have', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { level: 2 });
    const of = async (least: number): Promise<string> => {
      const data = `package sigstore
isCompliant[r] { r := {"result": input.predicate.level >= ${least}, "error": sprintf("level is %v", [input.predicate.level]), "warning": ""} }`;
      return found(await scene.decide(attested(signer, 'rego', data), { surroundings }));
    };
    assert.equal(await of(2), 'trusted');
    assert.equal(await of(3), 'refused level is 2');
  });

  it('may remark on what they approve', async () => {
    const scene = await Scene.create();
    const data =
      'package sigstore\nisCompliant[r] { r := {"result": true, "error": "", "warning": "the old scanner goes away"} }';
    const decision = await scene.decide(over('rego', data), { surroundings });
    assert.equal(decision.outcome, 'trusted');
    assert.deepEqual(decision.warnings, ['the old scanner goes away']);
  });

  it('that reach a network are never loaded', async () => {
    const scene = await Scene.create();
    const data = 'package sigstore\nisCompliant { http.send({"url": "http://127.0.0.1:1", "method": "get"}) }';
    await assert.rejects(scene.decide(over('rego', data), { surroundings }), {
      code: 'policy-malformed',
      message: /undefined function http\.send \(here policies reach no network/,
    });
  });
});

describe('a policy whose engine is not here', () => {
  it('is never loaded, and it is said what to install', async () => {
    const scene = await Scene.create();
    const none: Engines = { find: async (language) => `policies in ${language} need a thing: install it` };
    for (const type of ['cue', 'rego'])
      await assert.rejects(scene.decide(over(type, 'package sigstore'), { surroundings: { engines: none } }), {
        code: 'policy-unresolved',
        message: new RegExp(`spec\\.policy: policies in ${type} need a thing: install it`),
      });
  });

  it('is Rego where no place was named for it', async () => {
    const scene = await Scene.create();
    await assert.rejects(scene.decide(over('rego', 'package sigstore'), { surroundings: { engines: findEngines() } }), {
      code: 'policy-unresolved',
      message: /install the program opa, or build it for WASI/,
    });
  });
});

// With CEL alone, and the other two: decide-keyless.test.ts.
describe('an example of policy-controller', { skip: noCue || noRego }, () => {
  const SCANNED = {
    invocation: { parameters: null, uri: '', event_id: '', 'builder.id': '' },
    scanner: { uri: 'https://scanner.example', version: '1', db: { uri: '', version: '' }, result: {} },
  };
  const finished = (at: string): object => ({
    ...SCANNED,
    metadata: { scanStartedOn: at, scanFinishedOn: at },
  });
  const SCAN = `package sigstore
default isCompliant = false
isCompliant {
  ns := time.parse_rfc3339_ns(input.predicate.metadata.scanFinishedOn)
  time.now_ns() - ns < 604800000000000      # 7 days
}`;
  const BOTH = `import "list"
authorityMatches: {
  build: signatures: list.MinItems(1)
  scan: attestations: vuln: list.MinItems(1)
}`;

  it('B: built and scanned within a week, by two that must both have sealed it', async () => {
    const sigstore = await newTestSigstore();
    const build = await newSigner();
    const policy = policyOf(
      [
        {
          name: 'build',
          key: { hashAlgorithm: 'sha256', data: encoded(build) },
          source: [{ oci: 'registry.example.com/signatures' }],
        },
        {
          name: 'scan',
          keyless: { trustRootRef: 'acme', identities: [{ issuer: ISSUER, subject: SUBJECT }] },
          rfc3161timestamp: { trustRootRef: 'acme' },
          attestations: [{ name: 'vuln', predicateType: VULN, policy: { type: 'rego', data: SCAN } }],
        },
      ],
      { policy: { type: 'cue', includeObjectMeta: true, data: BOTH } },
    );
    const of = async (
      signed: boolean,
      scannedAt: string | undefined,
      now = new Date('2026-06-02T00:00:00Z'),
    ): Promise<string> => {
      const scene = await Scene.create();
      const elsewhere = scene.at('registry.example.com/signatures');
      if (signed) await scene.sign(build, ['legacy'], elsewhere);
      if (scannedAt !== undefined) {
        const payload = scene.statement(VULN, finished(scannedAt) as never);
        await scene.lay(await sigstore.seal({ logs: [], stamped: [SIGNED], payload }));
      }
      const roots = new Map([['acme', sigstore.trustedRoot]]);
      const decision = await scene.decide(policy, { surroundings, roots, now, metadata: {} });
      return `${decision.outcome} ${decision.policies[0]?.message}`;
    };
    const fresh = '2026-06-01T00:00:00Z';
    assert.match(await of(true, fresh), /^trusted /);
    assert.match(await of(true, undefined), /^refused .*authorityMatches\.scan/);
    assert.match(await of(false, fresh), /^refused .*authorityMatches\.build/);
    assert.match(await of(false, undefined), /^refused /);
    assert.match(await of(true, '2026-05-20T00:00:00Z'), /^refused .*authorityMatches\.scan/);
    assert.match(await of(true, fresh, new Date('2026-06-20T00:00:00Z')), /^refused .*authorityMatches\.scan/);
  });
});

describe('an attestation of 100 MB', () => {
  it('is not read, and that is said', async () => {
    const scene = await Scene.create();
    const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const layer = Buffer.alloc(100_000_000, ' ');
    const empty = Buffer.from('{}');
    for (const bytes of [layer, empty]) await scene.repository.putBlob(bytesBlob(bytes));
    await scene.manifest(MediaType.imageManifest, {
      artifactType: mediaType,
      config: { mediaType: MediaType.empty, size: empty.byteLength, digest: digestOf(empty) },
      layers: [{ mediaType, size: layer.byteLength, digest: digestOf(layer) }],
      subject: { mediaType: MediaType.imageManifest, size: 2, digest: scene.digest },
    });
    scene.calls.length = 0;
    const decision = await scene.decide(attested(await newSigner(), 'cel', 'true'));
    assert.notEqual(decision.outcome, 'trusted');
    assert.match(found(decision), /100000000/);
    assert.ok(scene.calls.every(({ target }) => target !== digestOf(layer)));
  });
});

describe('fetchConfigFile', () => {
  it('gives the configuration of an image by its platform, and asks for nothing where it is not set', async () => {
    const scene = await Scene.create();
    const data = 'config["linux/amd64"].os == "linux" && size(config) == 1';
    assert.equal((await scene.decide(over('cel', data, { fetchConfigFile: true }))).outcome, 'trusted');
    assert.ok(scene.calls.some(({ method }) => method === 'blob'));
    assert.equal((await scene.decide(over('cel', 'true'))).outcome, 'trusted');
    assert.deepEqual(scene.calls, []);
    assert.equal((await scene.decide(over('cel', data))).outcome, 'refused');
  });

  it('gives those of all platforms of an index that can be run', async () => {
    const scene = await Scene.create();
    const index = await scene.index([
      ['linux/amd64', scene.digest],
      ['linux/arm64', await scene.image('one that does not say its platform')],
      ['unknown/unknown', scene.digest],
    ]);
    const image = `${NAME}@${index}`;
    const data = 'size(config) == 2 && config["linux/amd64"].os == "linux" && has(config["linux/arm64"].name)';
    assert.equal((await scene.decide(over('cel', data, { fetchConfigFile: true }), { image })).outcome, 'trusted');
  });

  it('shows no other image than the one that a node of that platform runs', async () => {
    const scene = await Scene.create();
    const program = over('cel', 'config["linux/amd64"].config.User == "app"', { fetchConfigFile: true });
    const index = async (...images: readonly (readonly [string, string])[]): Promise<string> => {
      const entries: [string, Digest][] = [];
      for (const [platform, config] of images) entries.push([platform, await scene.configured(config)]);
      return `${NAME}@${await scene.index(entries)}`;
    };
    const good = '{"os":"linux","architecture":"amd64","config":{"User":"app"}}';
    const evil = good.replace('app', 'root');
    const outcome = async (image: string): Promise<string> => (await scene.decide(program, { image })).outcome;
    assert.equal(await outcome(await index(['linux/amd64', good])), 'trusted');
    const wrong = [
      // two for one platform
      [
        ['linux/amd64', evil],
        ['linux/amd64', good],
      ],
      // the other is listed for this platform and says it is for another
      [
        ['linux/amd64', evil.replace('amd64', 's390x')],
        ['linux/s390x', good],
      ],
      // Go reads another user
      [['linux/amd64', good.replace('"config"', '"Config":{"User":"root"},"config"')]],
      [['linux/amd64', good.replace('{"User"', '{"USER":"root","User"')]],
      [['linux/amd64', good.replace('"config"', '"config":{"User":"root"},"config"')]],
    ] as const;
    for (const images of wrong)
      assert.equal(await outcome(await index(...images)), 'undecided', JSON.stringify(images));
  });

  it('tells the versions of Windows apart', async () => {
    const scene = await Scene.create();
    const config = (version: string): string =>
      JSON.stringify({ os: 'windows', architecture: 'amd64', 'os.version': version });
    const index = await scene.index([
      ['windows/amd64', await scene.configured(config('10.0.1'))],
      ['windows/amd64', await scene.configured(config('10.0.2'))],
    ]);
    const data = 'size(config) == 2 && has(config["windows/amd64:10.0.2"].os)';
    const program = over('cel', data, { fetchConfigFile: true });
    assert.equal((await scene.decide(program, { image: `${NAME}@${index}` })).outcome, 'trusted');
  });

  it('that cannot be read is undecided', async () => {
    const scene = await Scene.create();
    scene.failures.set('blob', new CodedError('unreachable', 'registry.example.com does not answer'));
    const decision = await scene.decide(over('cel', 'true', { fetchConfigFile: true }));
    assert.equal(found(decision), 'undecided registry.example.com does not answer');
  });
});

describe('a policy behind an address', () => {
  const text = 'true';
  const url = 'https://policies.example/p.cel';
  const remote = (sha256sum = hash('sha256', text)): string =>
    policyOf([{ name: 's', static: { action: 'pass' } }], { policy: { type: 'cel', remote: { url, sha256sum } } });
  const fetching = (bytes: Uint8Array, asked: string[] = []): PolicySurroundings => ({
    fetch: async (address) => {
      asked.push(address);
      return bytes;
    },
  });
  const refused = async (policy: string, given: PolicySurroundings, code: string, message: RegExp): Promise<void> =>
    assert.rejects((await Scene.create()).decide(policy, { surroundings: given }), { code, message });

  it('is fetched when it is loaded, once, and compared with its checksum', async () => {
    const scene = await Scene.create();
    const asked: string[] = [];
    const given = fetching(Buffer.from(text), asked);
    const policies = `${remote()}${remote().replace('"name":"p"', '"name":"q"')}`;
    assert.equal((await scene.decide(policies, { surroundings: given })).outcome, 'trusted');
    assert.deepEqual(asked, [url]);
    await refused(
      remote(),
      fetching(Buffer.from('1 == 1')),
      'policy-malformed',
      /has the SHA-256 [0-9a-f]{64}, expected/,
    );
  });

  it('that is too large is refused', async () => {
    const bytes = Buffer.alloc(300 * 1024, 32);
    await refused(remote(hash('sha256', bytes)), fetching(bytes), 'policy-malformed', /307200 bytes, at most 262144/);
  });

  it('that cannot be fetched, or that nobody fetches, is never loaded', async () => {
    const fetch = async (): Promise<never> => {
      throw new CodedError('unreachable', 'policies.example does not answer');
    };
    await refused(remote(), { fetch }, 'policy-unresolved', /could not be fetched: policies\.example does not answer/);
    await refused(remote(), {}, 'policy-unresolved', /is not fetched here/);
    await refused(remote(), { fetch: 'later' }, 'policy-unresolved', /no policy can be used/);
  });
});

describe('a TrustRoot that is a TUF repository', () => {
  const root = Buffer.from('{"signatures":[],"signed":{}}').toString('base64');
  const document = (spec: object): string =>
    `${JSON.stringify({ apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'TrustRoot', metadata: { name: 'acme' }, spec })}\n---\n`;
  const REMOTE = document({ remote: { mirror: 'https://tuf.example', root, targets: 'targets' } });
  const INSIDE = document({ repository: { mirrorFS: root, root, targets: 'targets' } });
  const policy = policyOf([
    { name: 'k', keyless: { trustRootRef: 'acme', identities: [{ issuer: ISSUER, subject: SUBJECT }] } },
  ]);

  it('is resolved by who can, once', async () => {
    const sigstore = await newTestSigstore();
    const scene = await Scene.create();
    await scene.lay(await sigstore.seal({ payload: scene.statement('https://sigstore.dev/cosign/sign/v1') }));
    for (const [given, kind] of [
      [REMOTE, 'remote'],
      [INSIDE, 'repository'],
    ] as const) {
      const asked: string[] = [];
      const decision = await scene.decide(given + policy + policy.replace('"name":"p"', '"name":"q"'), {
        surroundings: {
          resolveTrustRoot: async (form) => {
            asked.push(form.kind);
            return sigstore.trustedRoot;
          },
        },
      });
      assert.equal(decision.outcome, 'trusted');
      assert.deepEqual(asked, [kind]);
    }
  });

  it('that cannot be had is a gap, and one that is wrong in the document is malformed', async () => {
    const scene = await Scene.create();
    const resolveTrustRoot = async (): Promise<never> => {
      throw new CodedError('trust-rejected', 'it is signed by somebody else');
    };
    const given = { surroundings: { resolveTrustRoot } };
    const message = /'acme' is a TUF repository .*, of which no trusted root can be had: it is signed by somebody else/;
    await assert.rejects(scene.decide(REMOTE + policy, given), { code: 'policy-unresolved', message });
    await assert.rejects(scene.decide(INSIDE + policy, given), { code: 'policy-malformed', message });
    await assert.rejects(scene.decide(REMOTE + policy), {
      code: 'policy-unresolved',
      message: /give the trusted root/,
    });
  });
});
