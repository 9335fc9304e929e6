// SPDX-License-Identifier: Apache-2.0
import { anything, count, filledText, list, map, object, oneOf, text, type Shape } from './shape.ts';

const component: Shape = (value, at, faults) => COMPONENT(value, at, faults);

const COMPONENT: Shape = object({
  required: { type: filledText, name: filledText },
  optional: {
    'bom-ref': text(),
    version: text(),
    purl: text({ pattern: /^pkg:/, expected: 'a package URL' }),
    components: list(component),
  },
});

/** @see https://cyclonedx.org/docs/1.6/json/ */
export const CYCLONEDX: Shape = object({
  required: {
    bomFormat: oneOf('CycloneDX'),
    specVersion: text({ pattern: /^1\.\d{1,2}$/, expected: 'a version such as 1.6' }),
  },
  optional: {
    serialNumber: text({
      pattern: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
      expected: 'urn:uuid:…',
    }),
    version: count(1),
    metadata: map(anything),
    components: list(component),
    services: list(object({ required: { name: filledText } })),
    dependencies: list(object({ required: { ref: filledText }, optional: { dependsOn: list(text()) } })),
    vulnerabilities: list(map(anything)),
  },
});
