// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { rewriteImports } from './rewrite-imports.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulla-rewrite-'));
after(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, 'wire', 'http'), { recursive: true });
writeFileSync(
  join(folder, 'wire', 'index.ts'),
  "export { encode as encodeBase64 } from './base64.ts';\nexport { get, type Answer } from './http/index.ts';\n",
);
writeFileSync(join(folder, 'wire', 'http', 'index.ts'), "export { get } from './client.ts';\nexport const own = 1;\n");

const eager = join(folder, 'image', 'late.ts');
const rewrite = (source: string): string =>
  rewriteImports(join(folder, 'image', 'a.ts'), source, { isEager: (path) => path === eager });

describe('built-in modules', () => {
  const cases = {
    'by name': ["import { join } from 'node:path';", 'const { join: join } = process.getBuiltinModule("node:path");'],
    'by another name': [
      "import { join as j } from 'node:path';",
      'const { join: j } = process.getBuiltinModule("node:path");',
    ],
    whole: ["import * as fs from 'node:fs';", 'const fs = process.getBuiltinModule("node:fs");'],
    default: ["import fs from 'node:fs';", 'const fs = process.getBuiltinModule("node:fs");'],
    'without the prefix, as packages do': ["import fs from 'fs';", 'const fs = process.getBuiltinModule("fs");'],
    late: [
      "const s = await import('node:sqlite');",
      'const s = await Promise.resolve(process.getBuiltinModule("node:sqlite"));',
    ],
    'types only': ["import type { Stats } from 'node:fs';", ''],
    'types among values': [
      "import { type Stats, statSync } from 'node:fs';",
      'const { statSync: statSync } = process.getBuiltinModule("node:fs");',
    ],
  } as const;
  for (const [name, [source, expected]] of Object.entries(cases))
    test(name, () => assert.equal(rewrite(source), expected));
});

describe('doors', () => {
  test('a name comes from the file behind the door', () => {
    assert.equal(
      rewrite("import { encodeBase64 as e } from '../wire/index.ts';"),
      'import { encode as e } from "../wire/base64.ts";',
    );
  });
  test('a name comes from behind two doors', () => {
    assert.equal(
      rewrite("import { get } from '../wire/index.ts';"),
      'import { get as get } from "../wire/http/client.ts";',
    );
  });
  test('a name of the door itself comes from there', () => {
    assert.equal(
      rewrite("import { own } from '../wire/http/index.ts';"),
      'import { own as own } from "../wire/http/index.ts";',
    );
  });
  test('a whole room stays a whole room', () => {
    const source = "import * as wire from '../wire/index.ts';";
    assert.equal(rewrite(source), source);
  });
  test('a late import becomes a static one', () => {
    assert.equal(
      rewrite("const { get, encodeBase64 } = await import('../wire/index.ts');"),
      'import { get as getAt36 } from "../wire/http/client.ts"; import { encode as encodeBase64At36 } from "../wire/base64.ts"; ' +
        'const { get, encodeBase64 } = await ({ get: getAt36, encodeBase64: encodeBase64At36 });',
    );
  });
  test('a late import of a room as a value stays late', () => {
    const source = "const wire = await import('../wire/index.ts');";
    assert.equal(rewrite(source), source);
  });
});

test('a late import of a file stays late, unless it is always needed', () => {
  assert.equal(rewrite("const { x } = await import('./seldom.ts');"), "const { x } = await import('./seldom.ts');");
  assert.equal(
    rewrite("const { x } = await import('./late.ts');"),
    'import { x as xAt20 } from "./late.ts"; const { x } = await ({ x: xAt20 });',
  );
});

test('lines keep their numbers, and what only looks like an import is left alone', () => {
  const source =
    "import {\n  join,\n  resolve,\n} from 'node:path';\nconst text = \"import x from 'node:fs'\"; // import 'node:fs'\n";
  const lines = rewrite(source).split('\n');
  assert.equal(lines.length, source.split('\n').length);
  assert.equal(lines[4], "const text = \"import x from 'node:fs'\"; // import 'node:fs'");
});

test('a package in CommonJS gets built-in modules without require, and its own files as before', () => {
  assert.equal(
    rewrite('const fs = require("fs"); const o = require("./other"); const p = require(\'node:path\');'),
    'const fs = globalThis.process.getBuiltinModule("fs"); const o = require("./other"); const p = globalThis.process.getBuiltinModule("node:path");',
  );
  assert.equal(
    rewrite("const process = require('process');"),
    'const process = globalThis.process.getBuiltinModule("process");',
  );
});
