// Writes src/schema.ts, the types of the OpenAPI document's bodies and successful answers. With --check, only tells whether it is up to date.

import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../openapi.json', import.meta.url);
const target = new URL('src/schema.ts', import.meta.url);

/** The document without what has no types: examples, parameters, refusals (which all have the same body), and paths besides their operations. */
const trimmed = ({ paths, ...document }) => {
  for (const item of Object.values(paths)) {
    delete item.parameters;
    for (const operation of Object.values(item)) {
      delete operation.parameters;
      operation.responses = Object.fromEntries(Object.entries(operation.responses).filter(([status]) => status.startsWith('2')));
    }
  }
  return JSON.parse(JSON.stringify({ ...document, paths }, (key, value) => (key === 'example' || key === 'examples' ? undefined : value)));
};

const ast = await openapiTS(trimmed(JSON.parse(readFileSync(source, 'utf8'))), { emptyObjectsUnknown: true });
const text = `// Generated from clients/openapi.json: npm run generate\n\n${astToString(ast)}`;
if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (text !== readFileSync(target, 'utf8')) {
  console.error('src/schema.ts is not up to date: npm run generate');
  process.exitCode = 1;
}
