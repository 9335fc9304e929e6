// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../wire/index.ts';
import { decodeIssuerDocument } from './issuer-document.ts';
import { IssuerError } from './issuer-error.ts';
import { DOCUMENT, TOKEN } from './issuer.fixture.ts';

const HASH = '$2y$04$Lkw9M0LhfXKV3aYORYZiiu0/wHFH1SRVhYXSx946X2gIXD2xwjz9W';
const SHA = `sha256:${'a'.repeat(64)}`;

describe('an issuer document', () => {
  test('says who logs in, with which programs, and which workloads there are', async () => {
    const { users, clients, workloads } = await decodeIssuerDocument(DOCUMENT, 'issuer.yaml');
    assert.deepEqual(users.get('alice'), {
      name: 'alice',
      email: 'alice@example.com',
      password: HASH,
      claims: { groups: ['release'] },
    });
    assert.deepEqual(clients.get('console')?.audiences, ['sigstore']);
    assert.deepEqual(workloads.get('nightly'), {
      id: 'nightly',
      subject: 'https://ci.example/nightly',
      token: createHash('sha256').update(TOKEN).digest(),
      audiences: ['sigstore'],
      claims: { repository: 'acme/app', attempt: 2 },
    });
  });

  test('has the client of cosign and gitsign, unless it says otherwise', async () => {
    const own = await decodeIssuerDocument('{}', 'x');
    assert.equal(own.clients.get('sigstore')?.redirectUris.length, 3);
    assert.equal((await decodeIssuerDocument('', 'x')).clients.size, 1);
    const other = await decodeIssuerDocument('clients: { sigstore: { redirect-uris: ["http://localhost/cb"] } }', 'x');
    assert.deepEqual(other.clients.get('sigstore')?.redirectUris, [{ text: 'http://localhost/cb', loopback: true }]);
  });

  test('may be JSON', async () => {
    const text = JSON.stringify({
      workloads: { ci: { subject: 'spiffe://acme/ci', token: SHA, audiences: ['a', 'b'] } },
    });
    assert.deepEqual((await decodeIssuerDocument(text, 'x')).workloads.get('ci')?.audiences, ['a', 'b']);
  });

  for (const [text, message] of [
    ['users: [', /^x is not YAML: /],
    ['[]', /the document has no mapping/],
    ['people: {}', /the document has the member "people", expected only users, clients, workloads/],
    ['users: []', /users has no mapping/],
    ['users: { a: {}, a: {} }', /not YAML/],
    ['users: { "a:b": {} }', /users has the name "a:b"/],
    ['users: { a: { email: a@b.example } }', /users\.a\.password has something else, expected a bcrypt hash/],
    [`users: { a: { email: a@b.example, password: "$1$abc" } }`, /expected a bcrypt hash of cost 4 to 15/],
    [`users: { a: { email: a@b.example, password: "${HASH.replace('$04$', '$31$')}" } }`, /cost 4 to 15/],
    [`users: { a: { email: "https://x", password: "${HASH}" } }`, /users\.a\.email has no e-mail address/],
    [`users: { a: { email: nobody, password: "${HASH}" } }`, /"nobody" is neither an e-mail address nor a URI/],
    [
      `users: { a: { email: a@b.c, password: "${HASH}", claims: { iss: x } } }`,
      /the claim iss, which the issuer states/,
    ],
    [`users: { a: { email: a@b.c, password: "${HASH}", claims: [] } }`, /claims has no mapping/],
    ['clients: { c: { redirect-uris: ["http://example.com/"] } }', /"http:\/\/example\.com\/", expected https/],
    ['clients: { c: { redirect-uris: x } }', /a list of at most 32 texts/],
    ['clients: { c: { secret: plain } }', /clients\.c\.secret has something else, expected sha256:/],
    ['workloads: { w: { token: x } }', /workloads\.w\.subject has no text/],
    ['workloads: { w: { subject: "https://x", token: hunter2 } }', /workloads\.w\.token has something else/],
    [`workloads: { w: { subject: "a b", token: "${SHA}" } }`, /neither an e-mail address nor a URI/],
    [`workloads: { sigstore: { subject: "https://x", token: "${SHA}" } }`, /the name of a client/],
    [`clients: { c: {} }\nworkloads: { c: { subject: "https://x", token: "${SHA}" } }`, /the name of a client/],
  ] as const)
    test(`is refused with the place and the reason: ${text.slice(0, 50)}`, async () => {
      await assert.rejects(decodeIssuerDocument(text, 'x'), (error) => {
        assert.ok(error instanceof IssuerError && error.code === 'issuer-document-malformed', String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n') && !error.message.includes('hunter2'));
        return true;
      });
    });

  test('that expands without end, nests without end or does not end is refused', async () => {
    const laughs = Array.from({ length: 20 }, (_, at) => `l${at + 1}: &l${at + 1} [*l${at}, *l${at}, *l${at}]`);
    for (const text of [
      ['l0: &l0 [x]', ...laughs].join('\n'),
      '['.repeat(20_000),
      `{"users":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
      `workloads: { w: { subject: "https://x", token: "${SHA}", claims: { a: ${'['.repeat(3000)}${']'.repeat(3000)} } } }`,
    ])
      await assert.rejects(decodeIssuerDocument(text, 'x'), { code: 'issuer-document-malformed' });
    await assert.rejects(decodeIssuerDocument(' '.repeat(5_000_000), 'x'), { message: /at most 4194304 are read/ });
  });

  test('is read, or refused with its code, whatever it holds', async () => {
    const names = fc.oneof(
      fc.constantFrom('users', 'clients', 'workloads', 'email', 'token', 'claims', '__proto__'),
      fc.string(),
    );
    const tree = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.boolean(),
        fc.double(),
        fc.constant(null),
        fc.array(tie('node')),
        fc.dictionary(names, tie('node')),
      ),
    })).node;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          tree.map((value) => JSON.stringify(value)),
          fc.string(),
        ),
        async (text) => {
          await decodeIssuerDocument(text, 'x').catch((error: unknown) => {
            assert.ok(error instanceof CodedError, String(error));
          });
        },
      ),
    );
  });
});
