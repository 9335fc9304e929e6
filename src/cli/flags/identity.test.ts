// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { FULCIO_CLAIMS, matchIdentity, type CertificateIdentity, type FulcioClaims } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { parseFlags } from '../arguments/parse-flags.ts';
import { IDENTITY_FLAGS, identityAsked, loadIdentities } from './identity.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bulla-identity-'));
after(() => rmSync(cwd, { recursive: true, force: true }));

const ISSUER = 'https://token.actions.githubusercontent.com';
const SUBJECT = 'https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1';
const WHO = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];

function pipeline(claims: FulcioClaims = {}): CertificateIdentity {
  return { subject: SUBJECT, kind: 'uri', claims: { issuer: ISSUER, ...claims } };
}

/** Whether an identity is one of those that a command line asks for. */
async function accepts(identity: CertificateIdentity, argv: readonly string[]): Promise<boolean> {
  const { flags } = parseFlags(argv, IDENTITY_FLAGS);
  assert.ok(identityAsked(flags));
  return matchIdentity(identity, await loadIdentities({ cwd }, flags)).kind === 'matched';
}

/** Writes a file of identities. */
function file(content: unknown): readonly string[] {
  writeFileSync(join(cwd, 'identities'), typeof content === 'string' ? content : JSON.stringify(content));
  return ['--identities', 'identities'];
}

async function refuses(argv: readonly string[], message: RegExp, code = 'usage'): Promise<void> {
  await assert.rejects(accepts(pipeline(), argv), (error) => {
    assert.ok(error instanceof CodedError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

describe('--certificate-claim', () => {
  for (const [claim, oid] of FULCIO_CLAIMS) {
    if (claim === 'issuer') continue;
    it(`asks for ${claim}, by its name and by ${oid}, exactly or as an expression`, async () => {
      for (const name of [claim, oid]) {
        const exact = [...WHO, '--certificate-claim', `${name}=a=b`];
        assert.equal(await accepts(pipeline({ [claim]: 'a=b' }), exact), true);
        assert.equal(await accepts(pipeline({ [claim]: 'a=bc' }), exact), false);
        assert.equal(await accepts(pipeline(), exact), false);
        const expression = [...WHO, '--certificate-claim-regexp', `${name}=^a=[bc]$`];
        assert.equal(await accepts(pipeline({ [claim]: 'a=c' }), expression), true);
        assert.equal(await accepts(pipeline({ [claim]: 'a=d' }), expression), false);
      }
    });
  }

  it('may be given several times, and all must hold', async () => {
    const argv = [
      ...WHO,
      '--certificate-claim=runnerEnvironment=github-hosted',
      '--certificate-claim-regexp=sourceRepositoryRef=^refs/tags/v',
      '--certificate-claim=sourceRepositoryRef=refs/tags/v1',
      '--certificate-github-workflow-sha=abc',
    ];
    const claims = {
      runnerEnvironment: 'github-hosted',
      sourceRepositoryRef: 'refs/tags/v1',
      githubWorkflowSha: 'abc',
    };
    assert.equal(await accepts(pipeline(claims), argv), true);
    for (const name of ['runnerEnvironment', 'sourceRepositoryRef', 'githubWorkflowSha'] as const)
      assert.equal(await accepts(pipeline({ ...claims, [name]: 'refs/tags/v2' }), argv), false);
  });

  it('alone names nobody', () => refuses(['--certificate-claim', 'buildTrigger=push'], /--certificate-identity/));

  it('of a name that there is not is refused, with those that there are', async () => {
    for (const name of ['sourceRepositoryURI', 'toString', '__proto__', '1.3.6.1.4.1.57264.1.25', 'a\nb'])
      await refuses(
        [...WHO, '--certificate-claim', `${name}=x`],
        /is no claim .*, expected one of githubWorkflowTrigger, .*, tokenSubject$/,
      );
    for (const name of ['issuer', '1.3.6.1.4.1.57264.1.8'])
      await refuses([...WHO, '--certificate-claim', `${name}=x`], /the issuer is named by --certificate-oidc-issuer/);
  });

  it('twice for one claim is refused, in whatever words', async () => {
    const twice = /: the claim githubWorkflowRef is asked for twice/;
    await refuses(
      [...WHO, '--certificate-claim', 'githubWorkflowRef=a', '--certificate-claim', 'githubWorkflowRef=b'],
      twice,
    );
    await refuses(
      [...WHO, '--certificate-claim', 'githubWorkflowRef=a', '--certificate-github-workflow-ref', 'a'],
      twice,
    );
  });

  it('without a value or a name is refused: nothing that was asked for is left out', async () => {
    for (const flag of ['certificate-claim', 'certificate-claim-regexp'])
      for (const pair of ['', 'buildTrigger', '=push'])
        await refuses([...WHO, `--${flag}`, pair], /expected NAME=/, 'flag-invalid');
    await refuses([...WHO, '--certificate-claim', 'buildTrigger='], /the buildTrigger is expected to be empty/);
  });

  it('as an expression that matches everything or is none is refused', async () => {
    const everything = [...WHO, '--certificate-claim-regexp', 'buildTrigger=.*'];
    await refuses(everything, /for the buildTrigger matches everything/);
    assert.equal(await accepts(pipeline({ buildTrigger: 'push' }), [...everything, '--allow-any-identity']), true);
    await refuses([...WHO, '--certificate-claim-regexp', 'buildTrigger=('], /buildTrigger/, 'expression-malformed');
  });
});

describe('--identities', () => {
  const RELEASE = { subject: SUBJECT, issuer: ISSUER };

  it('lists identities, any of which may have sealed', async () => {
    const other = { subject: 'dev@example.com', issuer: 'https://idp.example' };
    assert.equal(await accepts(pipeline(), file([other, RELEASE])), true);
    assert.equal(await accepts(pipeline(), file([other])), false);
    // the subject of one is not that of the issuer of another
    const crossed = [
      { ...RELEASE, subject: 'dev@example.com' },
      { ...RELEASE, issuer: 'https://idp.example' },
    ];
    assert.equal(await accepts(pipeline(), file(crossed)), false);
  });

  it('is YAML as well, with expressions and claims', async () => {
    const yaml = `
- subjectRegexp: ^https://github\\.com/example/app/
  issuer: ${ISSUER}
  claims: { runnerEnvironment: github-hosted }
  claimsRegexp:
    sourceRepositoryRef: ^refs/tags/v
`;
    const claims = { runnerEnvironment: 'github-hosted', sourceRepositoryRef: 'refs/tags/v1' };
    assert.equal(await accepts(pipeline(claims), file(yaml)), true);
    assert.equal(await accepts(pipeline({ ...claims, sourceRepositoryRef: 'refs/heads/main' }), file(yaml)), false);
    assert.equal(await accepts(pipeline(), file(yaml)), false);
    assert.equal(await accepts({ ...pipeline(claims), subject: 'https://gitlab.example/' }, file(yaml)), false);
  });

  it('and flags that are parts of an identity exclude each other', async () => {
    for (const part of [
      ['--certificate-identity', 'x'],
      ['--certificate-oidc-issuer-regexp', 'x'],
      ['--certificate-claim', 'buildTrigger=x'],
      ['--certificate-github-workflow-ref', 'x'],
    ])
      await refuses(
        [...file([RELEASE]), ...part],
        new RegExp(`--identities lists whole identities, and ${part[0]} is a part`),
      );
  });

  it('refuses an identity that says too little, and says which', async () => {
    await refuses(
      file([RELEASE, { subject: 'x' }]),
      /identities, identity 2 has neither issuer nor issuerRegexp/,
      'identities-malformed',
    );
    await refuses(file([{ issuer: 'x' }]), /neither subject nor subjectRegexp/, 'identities-malformed');
    for (const member of ['subject', 'issuer']) {
      const { [member as 'subject']: _, ...rest } = RELEASE;
      const any = file([RELEASE, { ...rest, [`${member}Regexp`]: '.*' }]);
      await refuses(any, new RegExp(`identity 2: the expression '\\.\\*' for the ${member} matches everything`));
      assert.equal(await accepts(pipeline(), [...any, '--allow-any-identity']), true);
    }
  });

  it('refuses what is misspelled or of another kind, since it would not be asked for', async () => {
    const cases: readonly (readonly [content: unknown, message: RegExp])[] = [
      [
        [{ ...RELEASE, subjectRegExp: 'x' }],
        /identity 1 has the member 'subjectRegExp', expected members among subject, /,
      ],
      [[{ ...RELEASE, claims: ['x'] }], /has claims that are no mapping/],
      [[{ ...RELEASE, claims: { buildTrigger: 1 } }], /claims has no text \(number\) as buildTrigger/],
      [[{ ...RELEASE, claims: { buildTrigger: '' } }], /claims has an empty text as buildTrigger/],
      [[{ ...RELEASE, subject: null }], /has nothing as subject/],
      [[{ ...RELEASE, subject: ['x'] }], /has no text \(object\) as subject/],
      [['x'], /identity 1 is no mapping/],
      [RELEASE, /is no list/],
      [[], /lists nobody/],
      ['', /is no list/],
      ['- subject: a\n  subject: b', /is neither YAML nor JSON: Map keys must be unique/],
      ['- &a { subject: x, issuer: x }\n- *a', /is neither YAML nor JSON/],
      ['{', /is neither YAML nor JSON/],
      [Array.from({ length: 257 }, () => RELEASE), /lists 257 identities, expected at most 256/],
    ];
    for (const [content, message] of cases) await refuses(file(content), message, 'identities-malformed');
    await refuses(
      file([{ ...RELEASE, claims: { nonsense: 'x' } }]),
      /identity 1, claims: 'nonsense' is no claim .* expected one of/,
    );
    await refuses(file([{ ...RELEASE, claims: { issuer: 'x' } }]), /the issuer is named by/);
    await refuses(['--identities', 'missing'], /no such file/, 'file-missing');
    await refuses(['--identities', ''], /reading identities/, 'file-unreadable');
    await refuses(file(' '.repeat(256 * 1024 + 1)), /is larger than/, 'input-too-large');
  });

  it('answers any file with identities or an error of its own', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.dictionary(fc.constantFrom('subject', 'issuer', 'claims', 'x'), fc.jsonValue())),
        ),
        async (content) => {
          await accepts(pipeline(), file(content)).catch((error: unknown) =>
            assert.ok(error instanceof CodedError, String(error)),
          );
        },
      ),
      { numRuns: 200 },
    );
    for (const deep of ['['.repeat(100_000), `${'- '.repeat(50_000)}x`, '{a: '.repeat(50_000)])
      await accepts(pipeline(), file(deep)).catch((error: unknown) =>
        assert.ok(error instanceof CodedError, String(error)),
      );
  });
});
