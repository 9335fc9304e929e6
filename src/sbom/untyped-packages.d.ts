// SPDX-License-Identifier: Apache-2.0

// These packages bring no types. Of the first nothing is used but that it throws for what is no expression.
declare module 'spdx-expression-parse' {
  function parse(expression: string): object;
  export = parse;
}

// For tests: the formats that the schema of CycloneDX names.
declare module 'ajv-formats-draft2019' {
  function addFormats(ajv: object): object;
  export = addFormats;
}
