// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseDigest, type Digest } from './digest.ts';
import { ReferenceFault } from './error.ts';
import {
  formatReference,
  isTag,
  parseReference,
  parseTag,
  registryHost,
  repositoryName,
  targetOf,
  withDigest,
  type Reference,
} from './reference.ts';

const HEX = '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
const DIGEST = parseDigest(`sha256:${HEX}`);

describe('parseReference reads', () => {
  const hub = 'index.docker.io';
  for (const [text, expected] of [
    ['alpine', { registry: hub, repository: 'library/alpine' }],
    ['x', { registry: hub, repository: 'library/x' }],
    ['alpine:3.20', { registry: hub, repository: 'library/alpine', tag: '3.20' }],
    ['acme/app', { registry: hub, repository: 'acme/app' }],
    ['a/b/c', { registry: hub, repository: 'a/b/c' }],
    ['docker.io/alpine', { registry: hub, repository: 'library/alpine' }],
    ['docker.io/acme/app', { registry: hub, repository: 'acme/app' }],
    ['index.docker.io/alpine', { registry: hub, repository: 'library/alpine' }],
    ['registry-1.docker.io/library/alpine', { registry: hub, repository: 'library/alpine' }],
    ['ghcr.io/acme/app:1', { registry: 'ghcr.io', repository: 'acme/app', tag: '1' }],
    ['ghcr.io/app', { registry: 'ghcr.io', repository: 'app' }],
    ['GHCR.io/app', { registry: 'ghcr.io', repository: 'app' }],
    ['localhost/app', { registry: 'localhost', repository: 'app' }],
    ['localhost:5000/app:1', { registry: 'localhost:5000', repository: 'app', tag: '1' }],
    ['registry:5000/a/b', { registry: 'registry:5000', repository: 'a/b' }],
    ['127.0.0.1:5000/app', { registry: '127.0.0.1:5000', repository: 'app' }],
    ['[::1]:5000/app:1', { registry: '[::1]:5000', repository: 'app', tag: '1' }],
    ['[2001:DB8::1]/app', { registry: '[2001:db8::1]', repository: 'app' }],
    [`app@${DIGEST}`, { registry: hub, repository: 'library/app', digest: DIGEST }],
    [`r.example/app:1@${DIGEST}`, { registry: 'r.example', repository: 'app', tag: '1', digest: DIGEST }],
    [`localhost:5000/app@${DIGEST}`, { registry: 'localhost:5000', repository: 'app', digest: DIGEST }],
    ['a__b/c-----d/e.f/g_h', { registry: hub, repository: 'a__b/c-----d/e.f/g_h' }],
    ['foo:5000', { registry: hub, repository: 'library/foo', tag: '5000' }],
    ['app:_A.b-C', { registry: hub, repository: 'library/app', tag: '_A.b-C' }],
  ] as const) {
    test(text, () => assert.deepEqual(parseReference(text), expected));
  }
});

describe('parseReference refuses', () => {
  for (const [text, code, why] of [
    ['', 'reference-malformed', /it is empty/],
    [':1', 'reference-malformed', /names no repository/],
    [`@${DIGEST}`, 'reference-malformed', /names no repository/],
    ['Bad Ref!!', 'reference-malformed', /upper-case/],
    ['foo bar', 'reference-malformed', /'foo bar' cannot stand in a repository/],
    ['a..b', 'reference-malformed', /'a\.\.b' cannot stand/],
    ['a___b', 'reference-malformed', /'a___b' cannot stand/],
    ['-a', 'reference-malformed', /'-a' cannot stand/],
    ['r.example/', 'reference-malformed', /names a registry and no repository/],
    ['r.example//a', 'reference-malformed', /an empty component/],
    ['r.example/a/../b', 'reference-malformed', /'\.\.' cannot stand/],
    ['r.example:0/a', 'reference-malformed', /'r\.example:0' is not a registry/],
    ['r.example:65536/a', 'reference-malformed', /is not a registry/],
    ['r.example:/a', 'reference-malformed', /is not a registry/],
    ['-r.example/a', 'reference-malformed', /is not a registry/],
    ['r_x.example/a', 'reference-malformed', /is not a registry/],
    ['256.1.1.1/a', 'reference-malformed', /is not a registry/],
    ['[::::]/a', 'reference-malformed', /is not a registry/],
    ['[fe80::1%25eth0]/a', 'reference-malformed', /is not a registry/],
    ['./dir', 'reference-malformed', /looks like a path \(a layout on disk is written oci-layout:DIR/],
    ['/dir', 'reference-malformed', /looks like a path/],
    [HEX, 'reference-malformed', /an image ID/],
    ['app:', 'tag-malformed', /nothing follows the ':'/],
    ['app:-1', 'tag-malformed', /'-1' is not a tag/],
    ['app:a b', 'tag-malformed', /is not a tag/],
    [`app:${'a'.repeat(129)}`, 'tag-malformed', /at most 128/],
    ['app@', 'digest-malformed', /not a digest/],
    [`app@${HEX}`, 'digest-malformed', /expected sha256:<64 hex>/],
    [`app@${DIGEST}:1`, 'digest-malformed', /not a digest/],
    [`app@${DIGEST}@${DIGEST}`, 'digest-malformed', /not a digest/],
    [`app@sha256:${HEX.slice(1)}`, 'digest-malformed', /not a digest/],
  ] as const) {
    test(text === '' ? 'nothing' : text, () => {
      assert.throws(() => parseReference(text), { name: 'ReferenceFault', code, message: why });
    });
  }

  test('a repository of more than 255 characters, and takes one of 255', () => {
    assert.throws(() => parseReference(`r.example/${'a'.repeat(256)}`), { message: /has 256 characters, at most 255/ });
    assert.equal(parseReference(`r.example/${'a'.repeat(255)}`).repository.length, 255);
    // library/ counts
    assert.throws(() => parseReference('a'.repeat(250)), { message: /has 258 characters/ });
  });

  test('a tag of more than 128 characters, and takes one of 128', () => {
    assert.equal(parseReference(`app:${'a'.repeat(128)}`).tag?.length, 128);
  });

  test('a megabyte, without showing it', () => {
    assert.throws(
      () => parseReference('a/'.repeat(500_000)),
      (error) => {
        return error instanceof ReferenceFault && error.message.length < 300;
      },
    );
  });
});

describe('parseReference names the nearest spelling', () => {
  for (const [text, nearest] of [
    ['MyOrg/app:V1', 'myorg/app:V1'],
    ['ghcr.io/MyOrg/App', 'ghcr.io/myorg/app'],
    ['https://ghcr.io/acme/app:1', 'ghcr.io/acme/app:1'],
    ['docker://alpine', 'alpine'],
    ['oci://ghcr.io/charts/app', 'ghcr.io/charts/app'],
    [' ghcr.io/acme/app ', 'ghcr.io/acme/app'],
    ['ghcr.io/acme/app/', 'ghcr.io/acme/app'],
    ['ghcr.io//acme/app', 'ghcr.io/acme/app'],
    ['ghcr.io/acme/app/:1', 'ghcr.io/acme/app:1'],
    ['app:', 'app'],
    ['alpine/', 'alpine'],
    ['127.0.0.1:5000/', undefined],
    ['ghcr.io/', undefined],
    [`app@${HEX}`, `app@sha256:${HEX}`],
    [`app:sha256:${HEX}`, `app@sha256:${HEX}`],
    [`app@SHA256:${HEX.toUpperCase()}`, `app@sha256:${HEX}`],
    ['https://GHCR.io/Acme/App/', 'ghcr.io/acme/app'],
    ['https://user:pa$$@ghcr.io/acme/app', 'ghcr.io/acme/app'],
  ] as const) {
    test(`of ${text}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => {
          assert.ok(error instanceof ReferenceFault);
          assert.equal(/Did you mean '([^']*)'\?$/.exec(error.message)?.[1], nearest);
          return true;
        },
      );
    });
  }

  test('which always reads as a reference', () => {
    const slips = fc.constantFrom('A', 'a', '/', ':', '@', '.', '-', ' ', 'https://', HEX, DIGEST, 'x.y', '_', '\n');
    fc.assert(
      fc.property(fc.array(slips, { maxLength: 8 }), (parts) => {
        try {
          parseReference(parts.join(''));
        } catch (error) {
          assert.ok(error instanceof ReferenceFault, String(error));
          const nearest = /Did you mean '(.*)'\?$/s.exec(error.message)?.[1];
          if (nearest !== undefined && !nearest.endsWith('…')) assert.doesNotThrow(() => parseReference(nearest));
        }
      }),
    );
  });
});

test('a password in a reference is not shown', () => {
  for (const text of [
    'https://user:hunter2@ghcr.io/acme/app',
    'https://user:hun/ter2@ghcr.io/acme/app',
    'https://user:hunter2@ter@ghcr.io/acme/app',
    'user:hunter2@ghcr.io/acme/app',
    'user:hunter2@localhost:5000/app:1',
  ]) {
    assert.throws(
      () => parseReference(text),
      (error) => {
        assert.ok(error instanceof ReferenceFault);
        assert.doesNotMatch(error.message, /hun|ter2|ter@/, text);
        return true;
      },
    );
  }
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
const references = fc
  .record({
    registry: fc.constantFrom(
      'index.docker.io',
      'ghcr.io',
      'localhost',
      'localhost:5000',
      '[::1]:5000',
      '10.0.0.1',
      'a-b.c:1',
    ),
    components: fc.array(component, { minLength: 1, maxLength: 4 }),
    tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/), { nil: undefined }),
    digest: fc.option(fc.constant<Digest>(DIGEST), { nil: undefined }),
  })
  .map(({ registry, components, tag, digest }): Reference => {
    const path = components.join('/');
    const repository = registry === 'index.docker.io' && components.length === 1 ? `library/${path}` : path;
    const reference: { -readonly [K in keyof Reference]: Reference[K] } = { registry, repository };
    if (tag !== undefined) reference.tag = tag;
    if (digest !== undefined) reference.digest = digest;
    return reference;
  });

test('what formatReference wrote, parseReference reads back', () => {
  fc.assert(
    fc.property(references, (reference) => assert.deepEqual(parseReference(formatReference(reference)), reference)),
  );
});

test('parseReference has no other error than its own, whatever the text', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: fc.constantFrom(...Array.from('aA0./:@-_[]% \n')), maxLength: 60 }),
    references.map(formatReference),
  );
  fc.assert(
    fc.property(anything, (text) => {
      try {
        const reference = parseReference(text);
        assert.deepEqual(parseReference(formatReference(reference)), reference);
        assert.ok(URL.canParse(`https://${registryHost(reference)}/v2/${reference.repository}/`));
      } catch (error) {
        assert.ok(error instanceof ReferenceFault, String(error));
        assert.doesNotMatch(error.message, /\p{Cc}/u);
      }
    }),
    { numRuns: 500 },
  );
});

describe('a reference', () => {
  const reference = parseReference('alpine:3');

  test('is asked for by digest, else tag, else latest', () => {
    assert.equal(targetOf(parseReference('alpine')), 'latest');
    assert.equal(targetOf(reference), '3');
    assert.equal(targetOf(withDigest(reference, DIGEST)), DIGEST);
  });

  test('keeps its tag beside a digest', () => {
    assert.equal(formatReference(withDigest(reference, DIGEST)), `index.docker.io/library/alpine:3@${DIGEST}`);
  });

  test('names its repository as signatures do', () => {
    assert.equal(repositoryName(reference), 'index.docker.io/library/alpine');
  });

  test("of Docker Hub is served by another host than its name's", () => {
    assert.equal(registryHost(reference), 'registry-1.docker.io');
    assert.equal(registryHost(parseReference('localhost:5000/a')), 'localhost:5000');
  });
});

test('a tag to be written is checked', () => {
  assert.equal(parseTag('v1'), 'v1');
  assert.equal(isTag('a/b'), false);
  assert.throws(() => parseTag('a/b'), { code: 'tag-malformed', message: /'a\/b' is not a tag \(at most 128/ });
});
