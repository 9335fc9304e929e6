// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AuthorityError } from '../error.ts';
import { parseTemplate, renderTemplate } from './template.ts';

function render(source: string, claims: Readonly<Record<string, string>>): string | undefined {
  const rendered = renderTemplate(parseTemplate(source, 'x'), new Map(Object.entries(claims)));
  return rendered.kind === 'text' ? rendered.text : undefined;
}

describe('a template', () => {
  const cases: readonly (readonly [source: string, claims: Record<string, string>, text: string])[] = [
    ['repository', { repository: 'a/b' }, 'a/b'],
    ['{{ .url }}/{{.repository}}', { url: 'https://x', repository: 'a/b' }, 'https://x/a/b'],
    ['{{ index . "oidc.circleci.com/project-id" }}', { 'oidc.circleci.com/project-id': '7' }, '7'],
    ['{{(index . "a b")}}/config', { 'a b': '7' }, '7/config'],
    ['{{ index . "not-there" }}', {}, ''],
    [
      'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
      { ref_type: 'branch', ref: 'main' },
      'refs/heads/main',
    ],
    [
      'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
      { ref_type: 'tag', ref: 'v1' },
      'refs/tags/v1',
    ],
    ['{{if eq (index . "ssh-rerun") "true"}}ssh-rerun{{ else }}{{end}}', { 'ssh-rerun': 'true' }, 'ssh-rerun'],
    ['{{if eq .a "1"}}{{.b}}{{end}}', { a: '1', b: 'text' }, 'text'],
    ['{{if eq .a "1"}}{{.b}}{{end}}', { a: '2' }, ''],
    ['{{ .a }}', { a: '{{ .b }} & <"\'+>' }, '{{ .b }} & <"\'+>'],
  ];
  for (const [source, claims, text] of cases) {
    test(`${source} with ${JSON.stringify(claims)} gives ${JSON.stringify(text)}`, () => {
      assert.equal(render(source, claims), text);
    });
  }

  test('names the claim that is missing', () => {
    const rendered = renderTemplate(parseTemplate('{{ .a }}/{{ .b }}', 'x'), new Map([['a', '1']]));
    assert.deepEqual(rendered, { kind: 'missing', claim: 'b' });
  });

  test('names the claims that are empty', () => {
    const rendered = renderTemplate(
      parseTemplate('{{ .a }}/{{ .b }}', 'x'),
      new Map([
        ['a', '1'],
        ['b', ''],
      ]),
    );
    assert.deepEqual(rendered, { kind: 'text', text: '1/', empty: ['b'] });
  });
});

describe('what else Go can do in a template is refused when it is loaded', () => {
  for (const source of [
    '',
    '{{ . }}',
    '{{ .a.b }}',
    '{{ .a | printf "%s" }}',
    '{{- .a -}}',
    '{{ range .a }}{{ end }}',
    '{{ with .a }}{{ end }}',
    '{{ template "x" }}',
    '{{ define "x" }}{{ end }}',
    '{{ $x := .a }}',
    '{{/* remark */}}',
    '{{ printf "%s" .a }}',
    '{{ html .a }}',
    '{{ index . "a" "b" }}',
    '{{ index .a "b" }}',
    '{{ index . "a\\"b" }}',
    '{{ if .a }}x{{ end }}',
    '{{ if ne .a "b" }}x{{ end }}',
    '{{ if eq .a .b }}x{{ end }}',
    '{{ if eq .a "b" "c" }}x{{ end }}',
    '{{ if eq .a "b" }}x',
    '{{ if eq .a "b" }}x{{ else if eq .a "c" }}y{{ end }}',
    '{{ if eq .a "b" }}x{{ else }}y{{ else }}z{{ end }}',
    '{{ if eq .a "b" }}{{ if eq .c "d" }}x{{ end }}{{ end }}',
    '{{ else }}',
    '{{ end }}',
    '{{ .a',
    '.a }}{{ .b }}',
    `{{ .a }}${'x'.repeat(3000)}`,
  ]) {
    test(source.slice(0, 60), () => {
      assert.throws(
        () => parseTemplate(source, "'build-signer-uri'"),
        (error) =>
          error instanceof AuthorityError &&
          error.code === 'template-malformed' &&
          error.message.startsWith("'build-signer-uri' "),
      );
    });
  }
});

test('random templates are read or refused, and never anything else', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    ' .a ',
    'if eq .a "b"',
    'else',
    'end',
    'index . "a"',
    '(',
    ')',
    'text',
    '"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        renderTemplate(parseTemplate(pieces.join(''), 'x'), new Map([['a', 'b']]));
      } catch (error) {
        assert.ok(error instanceof AuthorityError);
      }
    }),
  );
});
