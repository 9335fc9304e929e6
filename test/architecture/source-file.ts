// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { parseSync, Visitor, type StaticExport, type StaticImport, type VisitorObject } from 'oxc-parser';

/** An import, re-export, `import()`, `import type` or `process.getBuiltinModule()`: anything by which a file names another module. */
export interface Import {
  /** as written; undefined where it is computed, so that nobody can read it off */
  readonly specifier: string | undefined;
  readonly line: number;
  /** nothing of it is left at run time */
  readonly typeOnly: boolean;
  /** the names that are taken; undefined for all of them */
  readonly names: readonly string[] | undefined;
}

/** A name that a file hands on from another one. */
export interface ReExport {
  /** undefined for `export *` */
  readonly name: string | undefined;
  readonly nameThere: string | undefined;
  readonly specifier: string;
}

/** Something used that no import names: a global such as `fetch`, or a reading of the clock. */
export interface Ambient {
  readonly name: string;
  readonly line: number;
}

/** What a source file depends on, read from its syntax. */
export interface SourceFile {
  /** from the top of the tree, with `/` */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly reExports: readonly ReExport[];
  readonly ambient: readonly Ambient[];
}

/** All TypeScript sources in some folders of a tree. */
export function readTree(root: string, folders: readonly string[]): readonly SourceFile[] {
  return folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .toSorted()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

/** Reads one source. @throws Error where it does not parse */
export function parseSource(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length;
  const { imports, ambient } = readExpressions(program, text, lineAt);
  const { staticImports, staticExports } = module;
  return {
    path,
    text,
    imports: [
      ...staticImports.map((found) => ofStatic(found, lineAt)),
      ...staticExports.flatMap((found) => ofExport(found, lineAt)),
      ...imports,
    ],
    reExports: staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, exportName, importName }) =>
        moduleRequest === null
          ? []
          : [
              {
                name: exportName.name ?? undefined,
                nameThere: importName.name ?? undefined,
                specifier: moduleRequest.value,
              },
            ],
      ),
    ),
    ambient,
  };
}

/** The path that a relative import leads to, or undefined for a package or built-in module. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

function ofStatic({ start, moduleRequest, entries }: StaticImport, lineAt: (offset: number) => number): Import {
  const everything = entries.some(({ importName }) => importName.start === null); // `* as x` takes no name
  return {
    specifier: moduleRequest.value,
    line: lineAt(start),
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    names: everything ? undefined : entries.map(({ importName }) => importName.name ?? 'default'),
  };
}

function ofExport({ start, entries }: StaticExport, lineAt: (offset: number) => number): readonly Import[] {
  return entries.flatMap(({ moduleRequest, importName, isType }) =>
    moduleRequest === null
      ? []
      : [
          {
            specifier: moduleRequest.value,
            line: lineAt(start),
            typeOnly: isType,
            names: importName.name === null ? undefined : [importName.name],
          },
        ],
  );
}

type Program = ReturnType<typeof parseSync>['program'];
type Argument = Parameters<NonNullable<VisitorObject['CallExpression']>>[0]['arguments'][number];

/** What stands in expressions and types: `import()`, `getBuiltinModule()`, `require()`, globals, `new Date()`. */
function readExpressions(
  program: Program,
  text: string,
  lineAt: (offset: number) => number,
): Pick<SourceFile, 'imports' | 'ambient'> {
  const imports: Import[] = [];
  const ambient: Ambient[] = [];
  const keys = new Set<number>(); // where identifiers stand that name a property, not a variable
  const named = (node: Argument | undefined, at: number, typeOnly = false): void => {
    if (node?.type === 'ConditionalExpression') {
      named(node.consequent, at);
      named(node.alternate, at);
    } else {
      const specifier = node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
      imports.push({ specifier, line: lineAt(at), typeOnly, names: undefined });
    }
  };
  const key = (node: { computed?: boolean; key: { start: number } }): void => {
    if (node.computed !== true) keys.add(node.key.start);
  };
  new Visitor({
    ImportExpression: (node) => named(node.source, node.start),
    TSImportType: (node) => named(node.source, node.start, true),
    CallExpression(node) {
      const { callee } = node;
      if (callee.type === 'Identifier' && callee.name === 'require') named(node.arguments[0], node.start);
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
      if (callee.property.name === 'getBuiltinModule') named(node.arguments[0], node.start);
    },
    MemberExpression(node) {
      if (!node.computed) keys.add(node.property.start);
      if (text.slice(node.start, node.end) === 'Date.now') ambient.push({ name: 'Date.now', line: lineAt(node.start) });
    },
    NewExpression(node) {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0) {
        ambient.push({ name: 'new Date()', line: lineAt(node.start) });
      }
    },
    Property: key,
    PropertyDefinition: key,
    MethodDefinition: key,
    TSPropertySignature: key,
    TSMethodSignature: key,
    Identifier(node) {
      if (!keys.has(node.start)) ambient.push({ name: node.name, line: lineAt(node.start) });
    },
  }).visit(program);
  return { imports, ambient };
}
