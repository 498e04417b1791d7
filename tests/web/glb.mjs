// Judges GLB files with the Khronos validator: glb.mjs DIR → one JSON line {files, errors, first}.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { validateBytes } from 'gltf-validator';

const walk = (dir) => readdirSync(dir).flatMap((n) => { const p = join(dir, n); return statSync(p).isDirectory() ? walk(p) : p.endsWith('.glb') ? [p] : []; });
let [files, errors, warnings, first] = [0, 0, 0, null];
for (const file of walk(process.argv[2])) {
  files += 1;
  const report = await validateBytes(new Uint8Array(readFileSync(file)), { maxIssues: 10, uri: file });
  errors += report.issues.numErrors;
  warnings += report.issues.numWarnings;
  if (report.issues.numErrors && !first) first = { file, messages: report.issues.messages.slice(0, 3) };
}
console.log(JSON.stringify({ files, errors, warnings, first }));
