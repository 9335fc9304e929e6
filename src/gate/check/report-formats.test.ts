// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { loadPolicies } from '../../policy/index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from '../../policy/scene.fixture.ts';
import { encodePublicKey } from '../../trust/index.ts';
import { findImages } from '../manifest/find-images.ts';
import { checkImages } from './check-images.ts';
import { findingsOf, type CheckReport } from './check-report.ts';
import { encodeGithubAnnotations } from './github-annotations.ts';
import { encodeGitlabCodeQuality } from './gitlab-code-quality.ts';
import { encodeJunit } from './junit.ts';
import { encodeMarkdown } from './markdown-summary.ts';
import { encodeSarif } from './sarif.ts';
import { shown } from './shown.ts';

/** a second opinion where it is installed */
const hasXmllint = spawnSync('xmllint', ['--version']).status === 0;
const NOW = new Date('2026-06-02T00:00:00Z');
const TOOL = { version: '1.0.0', exitCode: 1 };
const [signer, other] = [await newSigner(), await newSigner()];
const scene = await Scene.create();
await scene.sign(signer);

const byKey = ({ publicKey }: typeof signer): object => ({ name: 'us', key: { data: encodePublicKey(publicKey) } });

async function check(
  files: Readonly<Record<string, string>>,
  {
    policies,
    named = [],
    ...options
  }: { policies?: string; named?: readonly string[]; skipUnreadable?: boolean; allowEmpty?: boolean } = {},
): Promise<CheckReport> {
  const found = await findImages(
    Object.entries(files).map(([name, text]) => ({ name, bytes: new TextEncoder().encode(text) })),
  );
  const text = policies ?? policyOf([byKey(signer)]);
  const set = await loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(text) }]);
  return checkImages({ named, ...found }, { set, open: scene.open, now: NOW, ...options });
}

const pod = (...images: readonly string[]): string =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n${images.map((image) => `  - image: ${JSON.stringify(image)}\n`).join('')}`;

/** Names that tools would take for something else. */
const HOSTILE = [
  '::error file=x::pwned',
  '\n::add-mask::x',
  '##[add-path]/evil',
  '##vso[task.setvariable]x',
  '</testcase><failure/>',
  '"]]>&amp;',
  '| <img src=x onerror=alert(1)> [a](http://evil.example.com) `code` *b* @admin #1 www.evil.example.com',
  '\u001b[2J\u001b]0;title\u0007',
  '\u202Egnp.exe',
  '%0A::error::x',
];

describe('the outcome of a check', () => {
  it('is refused if anything is, else undecided if anything is or could not be read, else trusted', async () => {
    const trusted = await check({ 'a.yaml': pod(`${NAME}:v1`) });
    assert.equal(trusted.outcome, 'trusted');
    const unread = await check({ 'a.yaml': pod(`${NAME}:v1`, '{{ x }}') });
    assert.equal(unread.outcome, 'undecided');
    assert.equal((await check({ 'a.yaml': pod(`${NAME}:v1`, '{{ x }}', 'ghcr.io/x/y') })).outcome, 'refused');
    assert.equal(
      (await check({ 'a.yaml': pod(`${NAME}:v1`, '{{ x }}') }, { skipUnreadable: true })).outcome,
      'trusted',
    );
  });
  it('is undecided where a registry does not answer', async () => {
    scene.failures.set('resolve', unreachable());
    try {
      const report = await check({ 'a.yaml': pod(`${NAME}:v1`) });
      assert.equal(report.outcome, 'undecided');
      assert.deepEqual(
        findingsOf(report).map(({ code, outcome }) => [code, outcome]),
        [['unknown', 'undecided']],
      );
      const sarif = JSON.parse(encodeSarif(report, TOOL)) as SarifLog;
      assert.equal(sarif.runs[0]?.invocations[0]?.executionSuccessful, false);
      assert.match(
        encodeGithubAnnotations(report),
        /^::error file=a\.yaml,.*,title=bulla%3A undecided::.* is undecided: /,
      );
    } finally {
      scene.failures.clear();
    }
  });
  it('is undecided where there is no image at all, unless that is well', async () => {
    const none = await check({ 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\n' });
    assert.equal(none.outcome, 'undecided');
    assert.deepEqual(
      findingsOf(none).map(({ code }) => code),
      ['no-image'],
    );
    assert.match(encodeJunit(none), /<error type="no-image"/);
    assert.equal((await check({}, { allowEmpty: true })).outcome, 'trusted');
  });
  it('has an image once, with all its places', async () => {
    const { images } = await check(
      { 'a.yaml': pod(`${NAME}:v1`, `${NAME}:v1`), 'b.yaml': pod(`${NAME}:v1`) },
      { named: [`${NAME}:v1`] },
    );
    assert.equal(images.length, 1);
    assert.deepEqual(
      images[0]?.found.map(({ place }) => `${place.file}:${place.line}`),
      ['a.yaml:5', 'a.yaml:6', 'b.yaml:5'],
    );
  });
  it('says what policies only warn of', async () => {
    const report = await check(
      { 'a.yaml': pod(`${NAME}:v1`) },
      { policies: policyOf([byKey(other)], { mode: 'warn' }) },
    );
    assert.equal(report.outcome, 'trusted');
    assert.deepEqual(
      findingsOf(report).map(({ level, code }) => [level, code]),
      [['warning', 'policy-warning']],
    );
    assert.match(encodeGithubAnnotations(report), /^::warning file=a\.yaml,line=5,/);
  });
});

interface SarifLog {
  readonly version: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly rules: readonly { readonly id: string; readonly shortDescription: { readonly text: string } }[];
      };
    };
    readonly invocations: readonly { readonly executionSuccessful: boolean }[];
    readonly columnKind: string;
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation?: {
          readonly artifactLocation: { readonly uri: string };
          readonly region: { readonly startLine: number; readonly startColumn: number; readonly endColumn?: number };
        };
        readonly logicalLocations?: readonly { readonly name?: string; readonly fullyQualifiedName?: string }[];
      }[];
      readonly partialFingerprints: Readonly<Record<string, string>>;
    }[];
  }[];
}

describe('SARIF', () => {
  // Members that section 3 of the specification requires, and the values that it allows
  function assertSarif(text: string): SarifLog {
    const log = JSON.parse(text) as SarifLog;
    assert.equal(log.version, '2.1.0');
    assert.equal(log.runs.length, 1);
    for (const { tool, invocations, results, columnKind } of log.runs) {
      assert.equal(tool.driver.name, 'bulla');
      const ids = tool.driver.rules.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      for (const { shortDescription } of tool.driver.rules) assert.ok(shortDescription.text.length > 0);
      for (const { executionSuccessful } of invocations) assert.equal(typeof executionSuccessful, 'boolean');
      assert.equal(columnKind, 'utf16CodeUnits');
      for (const result of results) {
        assert.equal(ids[result.ruleIndex], result.ruleId);
        assert.ok(['none', 'note', 'warning', 'error'].includes(result.level));
        assert.ok(result.message.text.length > 0);
        for (const fingerprint of Object.values(result.partialFingerprints))
          assert.match(fingerprint, /^[0-9a-f]{64}$/);
        for (const { physicalLocation } of result.locations) {
          if (physicalLocation === undefined) continue;
          const { artifactLocation, region } = physicalLocation;
          assert.ok(URL.canParse(artifactLocation.uri, 'file:///checkout/'), artifactLocation.uri);
          assert.ok(region.startLine >= 1 && region.startColumn >= 1);
          assert.ok(region.endColumn === undefined || region.endColumn > region.startColumn);
        }
      }
    }
    return log;
  }

  it('has a rule for each code and a result for each place, with its region', async () => {
    const report = await check(
      { 'deploy/a b.yaml': pod(`${NAME}:v1`, 'ghcr.io/x/y:1', '{{ x }}'), './b.yaml': pod('ghcr.io/x/y:1') },
      { named: ['nginx'] },
    );
    const [run] = assertSarif(encodeSarif(report, TOOL)).runs;
    assert.deepEqual(
      run?.tool.driver.rules.map(({ id }) => id),
      ['no-policy-matches', 'template-unrendered'],
    );
    assert.deepEqual(
      run?.results.map(({ locations: [location] }) => {
        const { artifactLocation, region } = location?.physicalLocation ?? {};
        return [artifactLocation?.uri, region?.startLine, region?.startColumn, region?.endColumn];
      }),
      [
        [undefined, undefined, undefined, undefined],
        ['deploy/a%20b.yaml', 6, 13, 26],
        ['b.yaml', 5, 13, 26],
        ['deploy/a%20b.yaml', 7, 13, undefined],
      ],
    );
    assert.equal(run?.results[0]?.locations[0]?.logicalLocations?.[0]?.name, 'nginx');
  });

  it('has the reason of the policy that is not met, with the nearest miss', async () => {
    const report = await check({ 'a.yaml': pod(`${NAME}:v1`) }, { policies: policyOf([byKey(other)]) });
    const [run] = assertSarif(encodeSarif(report, TOOL)).runs;
    assert.equal(run?.results[0]?.ruleId, 'none-accepted');
    assert.match(
      run?.results[0]?.message.text ?? '',
      /is refused: .*nearest miss \[signature-invalid\]: found .*, expected /,
    );
  });

  it('names the same finding the same after it has moved to another line', async () => {
    const fingerprints = async (text: string): Promise<readonly object[]> => {
      const [run] = assertSarif(encodeSarif(await check({ 'a.yaml': text }), TOOL)).runs;
      return run?.results.map(({ partialFingerprints }) => partialFingerprints) ?? [];
    };
    const text = pod('ghcr.io/x/y:1');
    assert.deepEqual(await fingerprints(text), await fingerprints(`# moved\n\n${text}`));
  });

  it('is sound whatever names are in it', async () => {
    const report = await check(Object.fromEntries(HOSTILE.map((name) => [`${name}.yaml`, pod(...HOSTILE)])));
    for (const { message } of assertSarif(encodeSarif(report, TOOL)).runs[0]?.results ?? [])
      assert.doesNotMatch(message.text, /[\u0000-\u001f\u007f-\u009f\u202e]/);
  });
});

describe('JUnit', () => {
  /** The elements of a document that is well-formed as far as this writer goes; throws where it is not. */
  function elements(
    xml: string,
  ): readonly { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[] {
    assert.ok(xml.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n'));
    const found: { name: string; attributes: Record<string, string> }[] = [];
    const open: string[] = [];
    const body = xml.slice(xml.indexOf('\n'));
    const tag = /<(\/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>/g;
    for (const [, closing, name = '', attributes = '', empty] of body.matchAll(tag)) {
      if (closing === '/') assert.equal(open.pop(), name);
      else {
        if (empty !== '/') open.push(name);
        const pairs = [...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]);
        found.push({ name, attributes: Object.fromEntries(pairs) as Record<string, string> });
      }
    }
    assert.deepEqual(open, []);
    const text = body.replaceAll(tag, '');
    assert.doesNotMatch(text, /[<>]/);
    assert.doesNotMatch(xml, /&(?!#\d+;)/);
    assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
    return found;
  }

  it('has a suite a file, a case an image, a failure for what is refused and an error for what is not known', async () => {
    const report = await check({ 'a.yaml': pod(`${NAME}:v1`, 'ghcr.io/x/y:1', '{{ x }}') }, { named: ['nginx'] });
    const all = elements(encodeJunit(report));
    assert.deepEqual(
      all
        .filter(({ name }) => name.startsWith('testsuite'))
        .map(({ name, attributes }) => [
          name,
          attributes['name'],
          attributes['tests'],
          attributes['failures'],
          attributes['errors'],
        ]),
      [
        ['testsuites', 'bulla check', '4', '2', '1'],
        ['testsuite', 'images', '1', '1', '0'],
        ['testsuite', 'a.yaml', '3', '1', '1'],
      ],
    );
    const cases = all.filter(({ name }) => name === 'testcase');
    assert.deepEqual(
      cases.map(({ attributes }) => [attributes['name'], attributes['file'], attributes['line']]),
      [
        ['nginx', undefined, undefined],
        [`${NAME}:v1 (spec.containers[0].image)`, 'a.yaml', '5'],
        ['ghcr.io/x/y:1 (spec.containers[1].image)', 'a.yaml', '6'],
        ['template-unrendered (spec.containers[2].image)', 'a.yaml', '7'],
      ],
    );
  });
  it('is well-formed whatever names are in it', async () => {
    const report = await check(
      { [`${HOSTILE.join(' ')}.yaml`]: pod(...HOSTILE) },
      { named: HOSTILE.map((name) => `named ${name}`) },
    );
    if (hasXmllint) {
      const { status, stderr } = spawnSync('xmllint', ['--noout', '-'], {
        input: encodeJunit(report),
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    }
    const all = elements(encodeJunit(report));
    assert.equal(all.filter(({ name }) => name === 'testcase').length, 2 * HOSTILE.length);
    assert.equal(all.filter(({ name }) => name === 'failure').length, 2 * HOSTILE.length);
  });
});

describe('annotations of GitHub Actions', () => {
  it('stand at the place of the image', async () => {
    const report = await check({ './deploy/a.yaml': pod('ghcr.io/x/y:1') }, { named: ['nginx'] });
    assert.equal(
      encodeGithubAnnotations(report),
      [
        '::error title=bulla%3A no-policy-matches::nginx is refused: no policy is about this image\n',
        '::error file=deploy/a.yaml,line=5,col=13,endColumn=26,title=bulla%3A no-policy-matches::ghcr.io/x/y:1 is refused: no policy is about this image\n',
      ].join(''),
    );
  });
  it('are one command a line, and nothing in a name is another', async () => {
    const report = await check({ 'a,b:c%.yaml': pod(...HOSTILE) }, { named: HOSTILE.map((name) => `named ${name}`) });
    const lines = encodeGithubAnnotations(report).split('\n').slice(0, -1);
    assert.equal(lines.length, 2 * HOSTILE.length);
    for (const line of lines) {
      assert.match(
        line,
        /^::error (?:file=a%2Cb%3Ac%25\.yaml,line=\d+,col=\d+,(?:endColumn=\d+,)?)?title=bulla%3A [a-z-]+::/,
      );
      assert.doesNotMatch(line, /##\[|##vso|[\u0000-\u001f\u007f-\u009f\u202e]|%(?!25|0A|0D|2C|3A)/);
    }
  });
});

describe('code quality of GitLab', () => {
  it('has the members that GitLab asks for, and no fingerprint twice', async () => {
    const report = await check(
      { 'a.yaml': pod(...HOSTILE, 'ghcr.io/x/y:1', '{{ x }}') },
      { named: ['nginx', 'nginx'] },
    );
    const entries = JSON.parse(encodeGitlabCodeQuality(report)) as readonly {
      description: string;
      check_name: string;
      fingerprint: string;
      severity: string;
      location: { path: string; lines: { begin: number } };
    }[];
    assert.equal(new Set(entries.map(({ fingerprint }) => fingerprint)).size, entries.length);
    for (const { description, check_name: name, severity, location } of entries) {
      assert.ok(description.length > 0 && name.length > 0);
      assert.ok(['info', 'minor', 'major', 'critical', 'blocker'].includes(severity));
      assert.ok(location.path.length > 0 && location.lines.begin >= 1);
    }
    const last = entries.at(-1);
    assert.deepEqual([last?.severity, last?.location], ['critical', { path: 'a.yaml', lines: { begin: 16 } }]);
  });
});

describe('Markdown', () => {
  it('sums up, and says what is wrong first', async () => {
    const text = encodeMarkdown(await check({ 'a.yaml': pod(`${NAME}:v1`, 'ghcr.io/x/y', '{{ x }}') }));
    assert.match(text, /^### ❌ Images: refused\n\n2 images: 1 trusted, 1 refused, 0 undecided\.\n/);
    assert.ok(text.indexOf('| ❌ |') < text.indexOf('| ✅ |'));
    assert.match(text, /#### Not read/);
  });
  it('has no markup but its own, whatever names are in it', async () => {
    const text = encodeMarkdown(await check({ 'a.yaml': pod(...HOSTILE) }, { named: HOSTILE }));
    const rows = text.split('\n').filter((line) => line.startsWith('| ❌'));
    assert.equal(rows.length, HOSTILE.length);
    for (const row of rows) {
      assert.equal(row.split('|').length, 6);
      const rest = row.replaceAll(/<\/?code>|<br>/g, '').replaceAll(/&#\d+;/g, '');
      assert.doesNotMatch(rest, /[<>[\]`*@#_!\u001b]|www\./);
    }
  });
});

describe('text in the log of a pipeline', () => {
  it('begins no line and holds no command of a runner', () => {
    for (const name of HOSTILE) assert.doesNotMatch(shown(name), /^\s*::|\n|##\[|##vso|\u001b|\u202e/);
    assert.equal(shown('ghcr.io/acme/app:1'), 'ghcr.io/acme/app:1');
  });
});
