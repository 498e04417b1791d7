// Every .glb below a folder through the Khronos validator: validate.mjs MODULES FOLDER → { files, errors, first }.
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modules, folder] = process.argv.slice(2);
const validator = createRequire(join(modules, 'package.json'))('gltf-validator');
let files = 0, errors = 0, first = null;
for (const name of readdirSync(folder, { recursive: true }).filter((n) => n.endsWith('.glb')).sort()) {
  const report = await validator.validateBytes(new Uint8Array(readFileSync(join(folder, name))), { maxIssues: 20 });
  files += 1;
  errors += report.issues.numErrors;
  if (report.issues.numErrors && !first) first = { name, messages: report.issues.messages.filter((m) => m.severity === 0).slice(0, 3) };
}
console.log(JSON.stringify({ files, errors, first }));
