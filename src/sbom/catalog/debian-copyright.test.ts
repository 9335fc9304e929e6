// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { debianLicences } from './debian-copyright.ts';

const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';

describe("Debian's copyright files", () => {
  it('that are machine-readable give their licences as SPDX writes them, where it knows them', () => {
    const text = `${FORMAT}\nFiles: *\nLicense: GPL-2+ or Expat\n\nFiles: b\nLicense: LGPL-2.1\n\nLicense: weird\n text\n`;
    assert.deepEqual(debianLicences(text), ['GPL-2.0-or-later OR MIT', 'LGPL-2.1-only', 'weird']);
  });

  it('that are not give the common licences that they point to, and no more than that', () => {
    const text =
      "On Debian systems see /usr/share/common-licenses/LGPL-2.1, and\n`/usr/share/common-licenses/Apache-2.0'.\n";
    assert.deepEqual(debianLicences(text), ['Apache-2.0', 'LGPL-2.1']);
  });

  it('that say nothing give nothing', () => {
    assert.deepEqual(debianLicences('Copyright 2001 Somebody.\n'), []);
  });
});
