// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AuthorityError } from '../error.ts';
import { decodeIssuers } from './decode-issuers.ts';
import { IssuerDirectory } from './issuer-directory.ts';
import type { TokenIssuer } from './token-issuer.ts';

async function decode(text: string): Promise<readonly TokenIssuer[]> {
  return decodeIssuers(Buffer.from(text), 'issuers.yaml');
}

async function one(text: string): Promise<TokenIssuer> {
  const [issuer, ...others] = await decode(text);
  assert.ok(issuer !== undefined && others.length === 0);
  return issuer;
}

/** A file of one issuer. */
function fileOf(url: string, lines: readonly string[]): string {
  return ['oidc-issuers:', `  ${url}:`, ...['client-id: sigstore', ...lines].map((line) => `    ${line}`)].join('\n');
}

describe("a file in Fulcio's format", () => {
  test('is read as YAML, with anchors', async () => {
    const issuers = await decode(`
define:
  - &github-type "github-workflow"
oidc-issuers:
  https://accounts.example.com:
    issuer-url: https://accounts.example.com
    client-id: sigstore
    type: email
    issuer-claim: $.federated_claims.connector_id
    contact: someone@example.com
    description: "people"
  https://token.actions.githubusercontent.com:
    client-id: sigstore
    type: ci-provider
    ci-provider: *github-type
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*:
    client-id: sigstore
    type: kubernetes
ci-issuer-metadata:
  *github-type:
    default-template-values:
      url: "https://github.example"
    extension-templates:
      source-repository-ref: refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}
      build-trigger: "event_name"
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
`);
    const [email, github, kubernetes] = issuers;
    assert.ok(email?.type === 'email' && github?.type === 'ci-provider');
    assert.deepEqual(email.issuerClaim, ['federated_claims', 'connector_id']);
    assert.equal(github.provider.defaults.get('url'), 'https://github.example');
    assert.deepEqual([...github.provider.extensions.keys()], ['sourceRepositoryRef', 'buildTrigger']);
    assert.deepEqual(
      { ...kubernetes },
      { url: 'https://oidc.eks.*.amazonaws.com/id/*', many: true, audience: 'sigstore', type: 'kubernetes' },
    );
  });

  test('is read as JSON with the keys of its JSON', async () => {
    const issuers = await decode(
      JSON.stringify({
        OIDCIssuers: {
          'https://login.example.com': {
            IssuerURL: 'https://login.example.com',
            ClientID: 'sigstore',
            Type: 'spiffe',
            SPIFFETrustDomain: 'example.com',
          },
          'https://ci.example.com': {
            IssuerURL: 'https://ci.example.com',
            ClientID: 'sigstore',
            Type: 'ci-provider',
            CIProvider: 'ours',
          },
        },
        MetaIssuers: { 'https://*.clusters.example.com': { ClientID: 'sigstore', Type: 'kubernetes' } },
        CIIssuerMetadata: {
          ours: {
            ExtensionTemplates: { SourceRepositoryURI: 'repository_url' },
            SubjectAlternativeNameTemplate: '{{ .pipeline_url }}',
          },
        },
      }),
    );
    assert.deepEqual(
      issuers.map(({ url, type }) => [url, type]),
      [
        ['https://login.example.com', 'spiffe'],
        ['https://ci.example.com', 'ci-provider'],
        ['https://*.clusters.example.com', 'kubernetes'],
      ],
    );
  });

  test('takes the types that Fulcio had before ci-provider', async () => {
    const found = await one(fileOf('https://token.actions.githubusercontent.com', ['type: github-workflow']));
    assert.ok(found.type === 'ci-provider');
    assert.equal(found.provider.subject.source, '{{ .url }}/{{ .job_workflow_ref }}');
  });
});

describe('a provider that runs elsewhere', () => {
  for (const [name, home, setting] of [
    ['github', 'https://token.actions.githubusercontent.com', 'url'],
    ['gitlab', 'https://gitlab.com', 'url'],
    ['buildkite', 'https://agent.buildkite.com', 'url'],
    ['circleci', 'https://oidc.circleci.com/org/7', 'api_url'],
    ['codefresh', 'https://oidc.codefresh.io', 'platform_url'],
  ] as const) {
    test(`${name} needs nothing at home, and elsewhere its '${setting}'`, async () => {
      const lines = ['type: ci-provider', `ci-provider: ${name}`];
      assert.equal((await one(fileOf(home, lines))).type, 'ci-provider');
      await assert.rejects(one(fileOf('https://ci.example.com/oidc', lines)), (error) => {
        assert.ok(error instanceof AuthorityError && error.code === 'issuers-malformed');
        assert.match(error.message, new RegExp(`needs 'default-template-values' with its own '${setting}'`));
        return true;
      });
      const own = await one(
        fileOf('https://ci.example.com/oidc', [
          ...lines,
          `default-template-values: { ${setting}: https://ci.example.com }`,
        ]),
      );
      assert.ok(own.type === 'ci-provider');
      assert.equal(own.provider.defaults.get(setting), 'https://ci.example.com');
    });
  }

  test('is described in one setting of the metadata as well', async () => {
    const file = `${fileOf('https://gitlab.example.com', ['type: ci-provider', 'ci-provider: gitlab-pipeline'])}
ci-issuer-metadata:
  gitlab-pipeline:
    default-template-values: { url: https://gitlab.example.com }`;
    const found = await one(file);
    assert.ok(found.type === 'ci-provider');
    assert.equal(found.provider.defaults.get('url'), 'https://gitlab.example.com');
    assert.equal(found.provider.extensions.get('sourceRepositoryUri')?.source, '{{ .url }}/{{ .project_path }}');
  });
});

describe('a file is refused', () => {
  const meta = (pattern: string): string => `meta-issuers: { "${pattern}": { client-id: sigstore, type: kubernetes } }`;
  for (const [why, text, message] of [
    ['that is no YAML', 'oidc-issuers: [', /neither YAML nor JSON/],
    ['that is no mapping', '[1, 2]', /is no mapping/],
    ['with a key twice', 'oidc-issuers: {}\noidc-issuers: {}', /neither YAML nor JSON/],
    [
      'with a key that nobody knows',
      fileOf('https://a.example', ['type: email', 'skip-email-verificaton: true']),
      /skip-email-verificaton/,
    ],
    ['with a section that nobody knows', 'oidc-isuers: {}', /oidc-isuers/],
    ['without a client id', 'oidc-issuers: { "https://a.example": { type: email } }', /client-id/],
    ['of an unknown type', fileOf('https://a.example', ['type: saml']), /the type 'saml'/],
    [
      'whose issuer-url is not its key',
      fileOf('https://a.example', ['type: email', 'issuer-url: https://b.example']),
      /another 'issuer-url'/,
    ],
    ['with an issuer that is no URL', fileOf('somebody', ['type: email']), /no URL of an issuer/],
    [
      'with a template that does more',
      `${fileOf('https://a.example', ['type: ci-provider', 'ci-provider: ours'])}
ci-issuer-metadata: { ours: { subject-alternative-name-template: "{{ printf .x }}" } }`,
      /is a template with/,
    ],
    [
      'with an extension that templates do not make',
      `${fileOf('https://a.example', ['type: ci-provider', 'ci-provider: ours'])}
ci-issuer-metadata: { ours: { subject-alternative-name-template: "{{ .x }}", extension-templates: { issuer: x } } }`,
      /no extension that templates make/,
    ],
    [
      'with an unknown provider',
      fileOf('https://a.example', ['type: ci-provider', 'ci-provider: jenkins']),
      /'jenkins', expected one of github/,
    ],
    [
      'with a subject-domain elsewhere',
      fileOf('https://a.example.com', ['type: uri', 'subject-domain: https://example.org']),
      /expected one domain/,
    ],
    [
      'with a subject-domain of another scheme',
      fileOf('https://a.example.com', ['type: uri', 'subject-domain: spiffe://example.com']),
      /a subject-domain with spiffe:/,
    ],
    [
      'with usernames of a domain elsewhere',
      fileOf('https://a.example.com', ['type: username', 'subject-domain: example.org']),
      /expected one domain/,
    ],
    ['with a SPIFFE issuer without trust domain', fileOf('https://a.example', ['type: spiffe']), /spiffe-trust-domain/],
    [
      'with many SPIFFE issuers',
      'meta-issuers: { "https://a.example/*": { client-id: s, type: spiffe, spiffe-trust-domain: a } }',
      /one issuer has and not many/,
    ],
    [
      'with an issuer-claim that is no path',
      fileOf('https://a.example', ['type: email', 'issuer-claim: $..connector']),
      /no path such as/,
    ],
    [
      'with an issuer-claim for another type than email',
      fileOf('https://a.example', ['type: kubernetes', 'issuer-claim: $.a']),
      /issuer-claim/,
    ],
    [
      'with another challenge than its type has',
      fileOf('https://a.example', ['type: kubernetes', 'challenge-claim: email']),
      /challenge-claim 'email'/,
    ],
    ['with a pattern without a star', meta('https://a.example'), /no '\*'/],
    ['with a pattern that leaves the host open', meta('https://*'), /leaves its host open/],
    ['with a pattern that leaves the domain open', meta('https://oidc.*.com/id'), /leaves its host open/],
    ['with a pattern that leaves the end of the host open', meta('https://a.example.*/id'), /leaves its host open/],
    ['with a pattern without a host', meta('*'), /no URL of an issuer/],
  ] as const) {
    test(why, async () => {
      await assert.rejects(decode(text), (error) => {
        assert.ok(error instanceof AuthorityError, String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }
});

describe('an issuer is found', () => {
  test('by its very URL before any pattern', async () => {
    const directory = new IssuerDirectory(
      await decode(`
oidc-issuers: { "https://a.example.com/id/1": { client-id: own, type: email } }
meta-issuers: { "https://a.example.com/id/*": { client-id: many, type: kubernetes } }`),
    );
    assert.equal(directory.find('https://a.example.com/id/1')?.audience, 'own');
    assert.equal(directory.find('https://a.example.com/id/2')?.audience, 'many');
  });

  test('by a pattern only as a whole, where a star is neither a dot nor a slash', async () => {
    const directory = new IssuerDirectory(
      await decode('meta-issuers: { "https://oidc.eks.*.amazonaws.com/id/*": { client-id: s, type: kubernetes } }'),
    );
    assert.ok(directory.find('https://oidc.eks.eu-west-1.amazonaws.com/id/ABC_1'));
    for (const url of [
      'https://oidc.eks.eu-west-1.amazonaws.com/id/',
      'https://oidc.eks.eu-west-1.amazonaws.com/id/a/b',
      'https://oidc.eks.eu-west-1.amazonaws.com/id/a?x=1',
      'https://oidc.eks.evil.example/.amazonaws.com/id/a',
      'https://oidc.eks.a.b.amazonaws.com/id/a',
      'https://oidc.eks.eu-west-1.amazonawsxcom/id/a',
      'xhttps://oidc.eks.eu-west-1.amazonaws.com/id/a',
      'https://oidc.eks.eu-west-1.amazonaws.com/id/a\n',
      'https://evil.example/#https://oidc.eks.eu-west-1.amazonaws.com/id/a',
    ]) {
      assert.equal(directory.find(url), undefined, url);
    }
  });
});
